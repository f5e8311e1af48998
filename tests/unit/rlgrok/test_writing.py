"""How the model libraries report a refusing disk: their own errors, not imitations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from rlgrok.writing import library_write_errors
from runtime.errors import StorageError

TENSORS = {"a": torch.zeros(1000)}


def test_the_number_in_safetensors_message_is_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with (
        pytest.raises(StorageError, match=r"a part of the path is a file, not a folder; at here"),
        library_write_errors(Path("here")),
    ):
        save_file(TENSORS, tmp_path / "file" / "model.safetensors")


def test_the_number_in_a_tokenizers_message_is_the_reason() -> None:
    with (
        pytest.raises(StorageError, match=r"the disk is full; at here") as caught,
        library_write_errors(Path("here")),
    ):
        Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save("/dev/full")
    assert caught.value.hint is not None and "free some space" in caught.value.hint


def test_torch_gives_no_reason() -> None:
    with (
        pytest.raises(StorageError, match=r"torch could not write a file; is the disk full\?"),
        library_write_errors(Path("here")),
    ):
        torch.save(TENSORS, "/dev/full")


@pytest.mark.parametrize(
    "error", [RuntimeError("a shape does not fit"), ValueError("x"), OSError(28, "(os error 28)")]
)
def test_everything_else_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, library_write_errors(Path("here")):
        raise error
    assert caught.value is error
