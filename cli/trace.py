"""`toolkit rl trace`: one program on one tape, step by step, or one scene in motion, in the terminal or as a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from rlgrok.delta.manufactoria.dsl import Program
    from rlgrok.delta.manufactoria.trace import Trace

EPILOG = (
    "Examples:\n\n"
    "- `toolkit rl trace program.txt RBBR`\n"
    "- `toolkit rl trace program.txt RBBR --html run.html` writes a page that plays the run, offline\n"
    "- `toolkit rl trace --solution contains_substring:two:RBR BRBRB` takes a problem's own solution\n"
    '- `toolkit rl trace - "" --all < program.txt` starts from the empty tape and shows every step\n'
    "- `toolkit rl trace B_2_1` draws a scene of BouncingSim: B_2_1.png, and B_2_1.html, which plays it\n"
    "- `toolkit rl trace scene.json program.py --html run.html` puts what a program says beside the truth\n"
    "- `toolkit rl trace --solution B_2_1` takes the oracle's program\n\n"
    "A rejected run is a result, not an error: exit code 0. A program that does not parse: 2."
)
STANDARD = "-"
SYMBOLS = "RBYG"
MAX_TAPE = 10_000
MAX_PROGRAM_BYTES = 1 << 20
HEAD, TAIL = 24, 12
"""Steps shown of a longer run."""
SHOWN_TAPE = 32
COLORS = {"R": "white on red", "B": "white on blue", "Y": "black on yellow", "G": "black on green"}
"""The terminal's own colours: any others become each other where there are only sixteen."""


def trace(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROGRAM TAPE | SCENE [PROGRAM]",
            help='A file with a program, or `-`, and a tape over R B Y G, front first, "" when it is empty; or a '
            "scene, by id or as a file .json, and maybe a program for it.",
        ),
    ] = None,
    solution: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The solution of this problem in place of PROGRAM."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that plays the run.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of a scene: write a picture of the ways.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every step of a long run.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Read the target END as the END node.")
    ] = False,
    max_steps: Annotated[
        int, typer.Option(min=1, max=10_000, help="Nodes visited before the run is cut off.")
    ] = 1000,
    quiet: Annotated[bool, typer.Option("--quiet", help="No table, only errors.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Run a program on a tape and show every step; or draw a scene, and what a program says of it."""
    from cli import output, scene_trace
    from runtime.errors import ConfigError

    words = [solution or "", *(arguments or [])] if solution else arguments or []
    if words and scene_trace.is_scene(words[0]):
        scene_trace.trace_scene(
            words, solution=solution is not None, html=html, png=png, quiet=quiet, as_json=as_json
        )
        return
    if png is not None:
        raise ConfigError("--png goes with a scene", where="--png")
    from rlgrok.delta.manufactoria.lookup import find_solution
    from rlgrok.delta.manufactoria.trace import trace as run_trace
    from runtime.storage import atomic_write_text

    source, tape = _split(arguments or [], solution)
    program = (
        read_program(source) if solution is None else find_solution(solution, where="--solution")
    )
    title = solution or ("standard input" if source == STANDARD else Path(source).name)
    run = run_trace(program, check_tape(tape), max_visits=max_steps, strict=strict)
    if html is not None:
        from rlgrok.tracepage.page import trace_page

        atomic_write_text(html, trace_page(run, title=title))
    if not quiet:
        _show(run, title, show_all=show_all)
        if html is not None:
            output.say(f"page: {html}")
    if as_json:
        output.emit(_as_json(run, title, html))


def _split(arguments: list[str], solution: str | None) -> tuple[str, str]:
    """Program and tape.

    Raises:
        ConfigError: one of them is missing, or there are more words.
    """
    from runtime.errors import ConfigError

    wanted = 2 if solution is None else 1
    if len(arguments) != wanted:
        raise ConfigError(
            "toolkit rl trace takes a program and a tape",
            got=" ".join(arg or '""' for arg in arguments),
            expected="PROGRAM TAPE" if solution is None else "TAPE alone, beside --solution",
            hint='the empty tape is ""',
        )
    return (STANDARD, arguments[0]) if solution is not None else (arguments[0], arguments[1])


def read_program(source: str) -> Program:
    """The program in a file or on standard input; fences around it are taken off.

    Raises:
        InputError: no such file, no text, or no program; says where and why.
    """
    from rlgrok.delta.manufactoria.dsl import ParseError, parse
    from runtime.errors import InputError

    where = "standard input" if source == STANDARD else source
    try:
        if source == STANDARD:
            raw = sys.stdin.buffer.read(MAX_PROGRAM_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                raw = file.read(MAX_PROGRAM_BYTES + 1)
        text = raw.decode()
    except OSError as error:
        raise InputError(f"the program cannot be read: {error.strerror}", where=where) from error
    except UnicodeDecodeError as error:
        raise InputError(
            "the program is not UTF-8 text", got=f"byte {error.start + 1}", where=where
        ) from error
    if len(raw) > MAX_PROGRAM_BYTES:
        raise InputError(
            "the program is too long",
            got=f"more than {MAX_PROGRAM_BYTES} bytes",
            expected=f"at most {MAX_PROGRAM_BYTES}",
            where=where,
        )
    try:
        return parse(text)
    except ParseError as error:
        place = where if error.line is None else f"{where}, line {error.line}"
        raise InputError(
            f"no program: {error.detail}", where=place, hint=_likely_keyword(text, error.line)
        ) from error


def _likely_keyword(text: str, line: int | None) -> str | None:
    """What a misspelt first word of a line may have been."""
    from difflib import get_close_matches

    from rlgrok.delta.manufactoria.dsl import FENCE, NEXT, Kind

    if line is None:
        return None
    words = text.split("\n")[line - 1].split()
    word = words[0] if words else ""
    if word.startswith(FENCE):
        return "a fence has no language tag here"
    known = [*map(str, Kind), NEXT]
    near = get_close_matches(word.upper(), known, n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near and near[0] != word else None


def check_tape(tape: str) -> str:
    """The tape, if it is one.

    Raises:
        InputError: a symbol that is none; says which, where, and what may have been meant.
    """
    from runtime.errors import InputError

    if len(tape) > MAX_TAPE:
        raise InputError(
            "the tape is too long",
            got=f"{len(tape)} symbols",
            expected=f"at most {MAX_TAPE}",
            where="TAPE",
        )
    wrong = next((place for place, symbol in enumerate(tape) if symbol not in SYMBOLS), None)
    if wrong is None:
        return tape
    raise InputError(
        "no such symbol on a tape",
        got=tape[wrong],
        expected="R, B, Y and G",
        where=f"TAPE, symbol {wrong + 1}",
        hint=_likely_tape(tape),
    )


def _likely_tape(tape: str) -> str | None:
    """What was meant: lower case, separators, words for colours or for nothing."""
    if tape.lower() in (
        "empty",
        "none",
        "_",
        "-",
        "''",
        "\N{EMPTY SET}",
        "\N{GREEK SMALL LETTER EPSILON}",
    ):
        return 'the empty tape is ""'
    meant = tape.upper()
    for word in ("YELLOW", "GREEN", "BLUE", "RED"):
        meant = meant.replace(word, word[0])
    meant = "".join(symbol for symbol in meant if symbol not in " ,;.-_|")
    if meant and set(meant) <= set(SYMBOLS):
        return f"did you mean {meant if len(meant) <= 40 else meant[:40] + '...'}?"
    return None


def _show(run: Trace, title: str, *, show_all: bool) -> None:
    """The table, then the verdict."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from cli import output

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column("step", justify="right", style="dim")
    table.add_column("node", style="bold", overflow="ellipsis", max_width=24, no_wrap=True)
    table.add_column("tape", no_wrap=True, overflow="ellipsis")
    table.add_column("what happened", overflow="fold")
    num = len(run.steps)
    hidden = range(0) if show_all or num <= HEAD + TAIL + 1 else range(HEAD, num - TAIL)
    for index in range(num):
        if index in hidden:
            if index == hidden.start:
                table.add_row("\N{VERTICAL ELLIPSIS}", "", "", f"{len(hidden)} steps more: --all")
            continue
        step = run.steps[index]
        words = Text(run.event(index))
        if step.target is not None:
            words.append(f" \N{RIGHTWARDS ARROW} {step.target}", style="dim")
        table.add_row(str(index + 1), step.node, _tape(run.tape(index)), words)
    output.show(title, table)
    output.show("", _verdict(run))


def _tape(tape: str) -> Text:
    """The tape in colours, the front in brackets; the middle of a long one is left out."""
    from rich.text import Text

    if not tape:
        return Text("empty", style="dim")
    shown = Text()
    for place, symbol in enumerate(tape[:SHOWN_TAPE]):
        shown.append(f"[{symbol}]" if place == 0 else symbol, style=COLORS.get(symbol, ""))
    if len(tape) > SHOWN_TAPE:
        shown.append(f"\N{HORIZONTAL ELLIPSIS}+{len(tape) - SHOWN_TAPE}", style="dim")
    return shown


def _verdict(run: Trace) -> RenderableType:
    from rich.text import Text

    from rlgrok.delta.manufactoria.machine import ITERATION_LIMIT

    words = Text()
    words.append(*(("accepted", "bold green") if run.finished else ("rejected", "bold red")))
    if not run.finished:
        words.append(f": {run.rejection_reason}")
    num = len(run.steps)
    words.append(f" after {num} step{'s' * (num != 1)}; the final tape is ")
    words.append_text(_tape(run.final_tape))
    loop = run.loop() if run.rejection_reason == ITERATION_LIMIT else None
    if loop is not None:
        first, again = loop
        words.append(
            f"\nsteps {first + 1} and {again + 1} have the same node and the same tape: it would go round for ever"
        )
    return words


def _as_json(run: Trace, title: str, html: Path | None) -> dict[str, Any]:
    return {
        "command": "rl trace",
        "status": "done",
        "run": None,
        "program": title,
        "accepted": run.finished,
        "rejection_reason": run.rejection_reason,
        "final_tape": run.final_tape,
        "num_steps": len(run.steps),
        "html": None if html is None else str(html),
        "steps": [
            {
                "step": index + 1,
                "node": step.node,
                "tape": run.tape(index),
                "condition": step.condition,
                "target": step.target,
                "event": run.event(index),
            }
            for index, step in enumerate(run.steps)
        ],
    }
