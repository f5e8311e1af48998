"""The table of errors: what each kind says and exits with."""

from __future__ import annotations

import errno
import importlib
from pathlib import Path

import pytest

from cli import errors
from cli.errors import TABLE, describe, save_traceback
from runtime.errors import (
    CheckpointError,
    ConfigError,
    DeviceError,
    InfrastructureError,
    InputError,
    NonFiniteError,
    StorageError,
    UntrustworthyError,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ConfigError, 2),
        (InputError, 2),
        (CheckpointError, 2),
        (StorageError, 2),
        (DeviceError, 2),
        (NonFiniteError, 2),
        (UntrustworthyError, 3),
        (InfrastructureError, 1),
    ],
)
def test_our_errors(kind: type, code: int) -> None:
    failure = describe(kind("what", got=3, expected="4", where="here", hint="do this"))
    assert failure.exit_code == code
    assert failure.message == "what; got 3; expected 4; at here"
    assert failure.hint == "do this"


def test_a_general_hint_stands_in_for_an_own_one() -> None:
    assert describe(DeviceError("taken")).hint == "see what is there: toolkit doctor"


@pytest.mark.parametrize("name", [n for n in TABLE if not n.startswith("torch.")])
def test_every_type_in_the_table_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), attribute), BaseException)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left on the disk; at runs/x"),
        (errno.EROFS, "the file system is read-only; at runs/x"),
        (errno.EACCES, "no permission; at runs/x"),
        (errno.ENOTDIR, "a file is where a folder should be; at runs/x"),
    ],
)
def test_trouble_with_the_disk(number: int, words: str) -> None:
    failure = describe(OSError(number, "whatever", "runs/x"))
    assert (failure.exit_code, failure.message) == (2, words)


def test_another_os_error_is_a_bug(tmp_path: Path) -> None:
    assert describe(OSError(errno.EIO, "input/output error"), folder=tmp_path).exit_code == 1


def test_the_traceback_of_a_bug_is_saved_in_the_run_folder(tmp_path: Path) -> None:
    try:
        raise KeyError("missing\nsecond line")
    except KeyError as error:
        failure = describe(error, folder=tmp_path)
    assert failure.exit_code == 1
    assert failure.traceback_file == str(tmp_path / "error.txt")
    assert "test_the_traceback_of_a_bug" in (tmp_path / "error.txt").read_text()
    assert "\n" not in failure.message
    assert "KeyError" in failure.message and "toolkit doctor" in (failure.hint or "")


def test_without_a_run_folder_it_is_saved_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    saved = save_traceback(ValueError("x"), None)
    assert saved is not None and Path(saved).parent == tmp_path


def test_when_nothing_can_be_written_the_traceback_is_in_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    failure = describe(ValueError("x"), folder=tmp_path / "absent")
    assert failure.traceback_file is None
    assert "ValueError: x" in failure.message


def test_out_of_memory_on_a_device_has_a_hint() -> None:
    gpu = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})
    failure = describe(gpu("CUDA out of memory. Tried to allocate 2 GiB"))
    assert failure.exit_code == 2
    assert failure.message == "CUDA out of memory. Tried to allocate 2 GiB"
    assert "training.micro_batch_size" in (failure.hint or "")


def test_an_interruption_has_its_own_code() -> None:
    assert describe(KeyboardInterrupt()).exit_code == errors.INTERRUPTED == 130
