"""`toolkit rl verify`: files and standard streams around the judging of records."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from cli import errors, output
from rlgrok.verify import bounded_lines, verify_lines
from runtime.errors import ConfigError, InputError
from runtime.storage import storage_errors

STANDARD = Path("-")


def verify_file(scope: str, source: Path, out: Path | None, *, quiet: bool, as_json: bool) -> int:
    """Judge every record of a file; returns the exit code, 2 when a line was no record.

    Raises:
        ConfigError: `--json` without `--out`: standard output cannot hold both.
        InputError: no such file, or an unknown scope.
    """
    if as_json and out is None:
        raise ConfigError(
            "--json needs --out", got="verdicts and result both on standard output", where="--json"
        )
    hidden = quiet or (out is None and sys.stdout.isatty())  # a bar among the verdicts helps nobody
    with open_lines(source) as lines, line_writer(out) as write:
        with line_progress(source, lines, "judging", hidden=hidden) as counted:
            counts = verify_lines(counted, write, scope=scope)
    code = errors.USER if counts.num_malformed else errors.DONE
    if not quiet:
        output.facts("verdicts", asdict(counts))
    if counts.num_malformed:
        output.say(
            f"error: {counts.num_malformed} of {counts.num_records} lines are no records; their lines say why"
        )
    if as_json:
        output.emit(
            {
                "command": "rl verify",
                "status": output.status(code),
                "run": None,
                "out": str(out),
                **asdict(counts),
            }
        )
    return code


@contextmanager
def open_lines(source: Path) -> Iterator[Iterator[bytes]]:
    """The lines of a file, or of standard input for `-`.

    Raises:
        InputError: the file cannot be read.
    """
    if source == STANDARD:
        yield bounded_lines(sys.stdin.buffer)
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", where=source) from error
    with file:
        yield bounded_lines(file)


@contextmanager
def line_progress(
    source: Path, lines: Iterator[bytes], doing: str, *, hidden: bool
) -> Iterator[Iterator[bytes]]:
    """The lines, with a bar on standard error that follows them where that is a terminal."""
    if hidden or not sys.stderr.isatty():
        yield lines
        return
    from rich.progress import Progress

    size = source.stat().st_size if source.is_file() else None
    with Progress(console=output.console(), transient=True) as progress:
        task = progress.add_task(doing, total=size)

        def counted() -> Iterator[bytes]:
            for line in lines:
                yield line
                progress.advance(task, len(line))

        yield counted()


@contextmanager
def line_writer(out: Path | None) -> Iterator[Callable[[str], object]]:
    """Where lines go; a file appears under its name only when it is complete."""
    if out is None:
        yield lambda line: sys.stdout.write(line + "\n")
        sys.stdout.flush()
        return
    partial = out.with_name(f".{out.name}.partial")
    with storage_errors(out):
        try:
            with partial.open("w", encoding="utf-8") as file:
                yield lambda line: file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
