"""A refusing disk, as the model libraries report it: not as the OSError that it is, but as errors of their own.

Their compiled writers raise plain exceptions whose text ends in `(os error 28)`, or, in torch's case, says nothing of
the reason. Everything else passes through.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.storage import storage_errors

_NUMBER = re.compile(r"\(os error (\d+)\)")
_TORCH_WRITER = "inline_container"
"""The source file of torch's writer, which every message of it names."""


@contextmanager
def library_write_errors(path: Path) -> Iterator[None]:
    """Turn the write errors of safetensors, tokenizers and torch inside the block into a StorageError for `path`."""
    try:
        yield
    except Exception as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        with storage_errors(path):
            raise refusal from error


def _refusal(error: Exception) -> OSError | None:
    """The OSError that an error stands for; None when it is of another kind."""
    found = _NUMBER.search(str(error))
    if found is not None and not isinstance(error, OSError):
        number = int(found[1])
        return OSError(number, os.strerror(number))
    if isinstance(error, RuntimeError) and _TORCH_WRITER in str(error):
        return OSError("torch could not write a file; is the disk full?")
    return None
