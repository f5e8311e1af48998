"""Exception type -> message, hint, exit code: one table, and the one boundary of the program.

Exit codes: 0 done, 1 our bug, 2 the user can fix it, 3 done but not trustworthy, 130 interrupted. Types are named
by their dotted path, so that looking one up imports nothing.
"""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.errors import ToolkitError

DONE, BUG, USER, UNTRUSTWORTHY, INTERRUPTED = 0, 1, 2, 3, 130

TABLE: dict[str, tuple[int, str | None]] = {
    "runtime.errors.UntrustworthyError": (UNTRUSTWORTHY, None),
    "runtime.errors.InfrastructureError": (
        BUG,
        "this is a fault of the toolkit, not of a program it judged",
    ),
    "runtime.errors.NonFiniteError": (
        USER,
        "lower optimizer.learning_rate or optimizer.max_grad_norm",
    ),
    "runtime.errors.DeviceError": (USER, "see what is there: toolkit doctor"),
    "runtime.errors.ToolkitError": (USER, None),
    "hydra.errors.HydraException": (USER, None),
    "omegaconf.errors.OmegaConfBaseException": (USER, None),
    "typer.exceptions.TyperException": (USER, "see toolkit --help"),
    "torch.OutOfMemoryError": (USER, "lower training.micro_batch_size or evaluation.batch_size"),
    "builtins.MemoryError": (USER, "lower training.micro_batch_size or evaluation.batch_size"),
    "builtins.KeyboardInterrupt": (INTERRUPTED, None),
}
"""Dotted type -> exit code and general hint; the nearest base class decides."""

DISK_TROUBLE = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENOTDIR: "a file is where a folder should be",
    errno.EEXIST: "a file is where a folder should be",
    errno.ENAMETOOLONG: "the name is too long",
}


@dataclass(frozen=True)
class Failure:
    """What the user is told, and what the process exits with."""

    message: str
    exit_code: int
    hint: str | None = None
    traceback_file: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without the absent parts."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def describe(
    error: BaseException, *, keys: Sequence[str] = (), folder: Path | None = None
) -> Failure:
    """Look an exception up; save the traceback of an unexpected one.

    Args:
        error: anything that reached the boundary.
        keys: dotted keys of the config, for suggestions.
        folder: the run folder, where there is one; the traceback of a bug is saved there.
    """
    row = _row(error)
    if row is None and isinstance(error, OSError) and error.errno in DISK_TROUBLE:
        place = error.filename or "the run folder"
        return Failure(
            f"{DISK_TROUBLE[error.errno]}; at {place}",
            USER,
            "free or choose another place with --out",
        )
    if row is None:
        return _bug(error, folder)
    code, hint = row
    if code == BUG:
        saved = save_traceback(error, folder)
        return Failure(_message(error), BUG, getattr(error, "hint", None) or hint, saved)
    if code == INTERRUPTED:
        return Failure("interrupted", INTERRUPTED)
    if type(error).__module__.startswith(("hydra.", "omegaconf.")):
        from cli.config_errors import explain

        error = explain(error, keys)
    own_hint = getattr(error, "hint", None)
    return Failure(_message(error), code, own_hint or hint)


def save_traceback(error: BaseException, folder: Path | None) -> str | None:
    """Write the traceback beside the run, or to a temporary file; None when neither can be written."""
    import tempfile

    text = "".join(traceback.format_exception(error))
    if folder is not None and folder.is_dir():
        try:
            (folder / "error.txt").write_text(text, encoding="utf-8")
        except OSError:
            pass  # the disk may be what broke; a temporary file is the second try
        else:
            return str(folder / "error.txt")
    try:
        handle, name = tempfile.mkstemp(prefix="toolkit-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return None
    return name


def _row(error: BaseException) -> tuple[int, str | None] | None:
    for kind in type(error).__mro__:
        row = TABLE.get(f"{kind.__module__}.{kind.__qualname__}")
        if row is not None:
            return row
    return None


def _bug(error: BaseException, folder: Path | None) -> Failure:
    saved = save_traceback(error, folder)
    where = f"the traceback is in {saved}" if saved else "".join(traceback.format_exception(error))
    return Failure(
        f"unexpected {type(error).__name__}: {_first_line(str(error))}; {where}",
        BUG,
        "please report it with that file and the output of `toolkit doctor --json`",
        saved,
    )


def _message(error: BaseException) -> str:
    if isinstance(error, ToolkitError):
        return error.one_line()
    formatted = error.format_message() if hasattr(error, "format_message") else str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        formatted = formatted or "out of memory"
    return _first_line(formatted) or type(error).__name__


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else ""
