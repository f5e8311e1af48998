"""Everything that is shown: tables and messages for people on standard error, one JSON object on standard output."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from cli.errors import DONE, INTERRUPTED, UNTRUSTWORTHY, Failure
from runtime.progress import MutedOnError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_WIDTH = 200
"""Columns where there is no terminal to ask: wide enough that a path stays on one line."""

HEADLINES = (
    "outcome", "transition_reason", "transition_step", "transition_interval_95", "plateau_steps",
    "phase_change_step", "steps", "stopped", "heldout_full_pass", "heldout_exhaustive",
    "heldout_exhaustive_interval_95", "base_heldout_exhaustive", "base_pass_at_k", "folder",
    "num_rows", "num_covariates", "num_targets", "num_confounders", "num_missing_cells", "inference", "num_draws",
    "max_rhat", "min_ess_bulk", "min_ess_tail", "diagnostics_passed", "ptve", "ptve_q05", "ptve_q95", "effective_rank",
    "latent_snr", "num_certain_signs", "compile_s", "sampling_s", "wall_s",
)  # fmt: skip
"""Values of a summary worth showing at the end of a run, in this order; `pass_at_<k>` follows."""

STATUS_WORDS = {DONE: "done", UNTRUSTWORTHY: "untrustworthy", INTERRUPTED: "interrupted"}


def status(exit_code: int) -> str:
    """The word for an exit code in a JSON object."""
    return STATUS_WORDS.get(exit_code, "failed")


def console() -> Console:
    """A console on standard error, made anew so that tests may replace the stream."""
    from rich.console import Console

    # Rich's own answer to a reader that has gone is to exit with 1, whatever became of the run.
    made = Console(file=MutedOnError(sys.stderr), highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = PLAIN_WIDTH
    return made


def emit(result: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output; NaN and infinities become null."""
    _put(sys.stdout, json.dumps(_finite(result), default=str, allow_nan=False) + "\n")


def say(text: str) -> None:
    """One plain line for people, on standard error."""
    _put(sys.stderr, f"{text}\n")


def _put(stream: TextIO, text: str) -> None:
    """Write and flush; a reader that has gone changes nothing about how the command went."""
    with suppress(BrokenPipeError):
        stream.write(text)
        stream.flush()


def settle() -> None:
    """Get rid of what was meant for readers that have gone, or the interpreter exits with 120 for it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)


def say_failure(failure: Failure, *, run: str | None = None, command: str | None = None) -> None:
    """Report a failure to people: one line, a hint, and how to go on after an interruption."""
    if failure.exit_code == INTERRUPTED:
        say(
            "interrupted"
            + (
                f"; state saved, go on with: toolkit {command} --resume {run}"
                if run and command
                else ""
            )
        )
        return
    say(f"error: {failure.message}")
    if failure.hint:
        say(f"hint: {failure.hint}")


def fail(failure: Failure, *, as_json: bool) -> None:
    """Report a failure of a command that has no run: to people, and as the one object for machines."""
    say_failure(failure)
    if as_json:
        emit({"status": status(failure.exit_code), "run": None, "error": failure.as_dict()})


def result(title: str, summary: Mapping[str, Any]) -> None:
    """The few values of a summary that answer the question of the run; all of them when none is known."""
    facts(title, headlines(summary) or summary)


def headlines(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a summary that a reader looks for first; what a run does not have is left out."""
    chosen = {key: summary[key] for key in HEADLINES if summary.get(key) is not None}
    return chosen | {
        key: value for key, value in summary.items() if re.fullmatch(r"(base_)?pass_at_\d+", key)
    }


def facts(title: str, values: Mapping[str, Any]) -> None:
    """A two-column table for people."""
    table(
        title, ("", ""), [(key, shown(value)) for key, value in values.items()], show_header=False
    )


def table(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    show_header: bool = True,
    first_folds: bool = False,
) -> None:
    """A table for people. Where it is wider than the terminal the first column stays whole, or it alone does not."""
    from rich import box
    from rich.table import Table

    made = Table(show_header=show_header, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, name in enumerate(header):
        made.add_column(name, overflow="fold", no_wrap=(number == 0) is not first_folds)
    for row in rows:
        made.add_row(*row)
    show(title, made)


def show(title: str, made: RenderableType) -> None:
    """Anything that Rich draws, for people, under a title if there is one."""
    shown_on = console()
    if title:  # not the table's own: a path must not be broken to the width of a narrow table
        shown_on.print(title, style="bold", soft_wrap=True)
    if shown_on.is_terminal:
        shown_on.print(made)
        return
    with shown_on.capture() as plain:
        shown_on.print(made)
    for line in plain.get().splitlines():
        say(line.rstrip())  # without the blanks that fill a table up


def shown(value: Any) -> str:  # noqa: ANN401 - whatever a summary holds
    """A value as people read it: four digits, lists and nested facts on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {shown(item)}" for key, item in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value) or "-"
    return str(value)


@contextmanager
def nothing_on_stdout() -> Iterator[None]:
    """Send standard output to standard error meanwhile, for libraries and child processes alike.

    With `--json`, standard output holds one object; what a library prints there must not come first.
    """
    sys.stdout.flush()
    saved = os.dup(1)
    held = sys.stdout
    try:
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        yield
    finally:
        sys.stdout = held
        os.dup2(saved, 1)
        os.close(saved)


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON-able value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
