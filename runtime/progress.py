"""The live view of a training run: a Rich panel on a terminal, plain lines elsewhere, nothing when quiet.

A view only shows: what it is told is kept by the run folder. It never breaks the run: when the
terminal goes away, the view falls silent. The only module outside the command line that imports
Rich, and only once a terminal is there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol

from runtime.progress_state import (
    LABELS,
    SideTask,
    TrainingState,
    format_duration,
    sparkline,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

REFRESH_PER_S = 4
PLAIN_INTERVAL_S = 10.0
"""Seconds between plain lines, unless something happens."""

_STATE_STYLES = {"plateau": "yellow", "climbing": "bold cyan", "solved": "bold green"}
_NOTE_STYLES = {
    "warning": "yellow",
    "error": "bold red",
    "phase": "magenta",
    "phase_changed": "magenta",
}
_BAR_STYLES = {"complete_style": "cyan", "finished_style": "green", "pulse_style": "cyan"}
_VALUE_WIDTH = 10
_NARROW = 72  # columns; below it the values stand in one column


class TaskHandle(Protocol):
    """Work that is being counted."""

    def advance(self, n: int = 1) -> None:
        """Count n more units as done."""


class TrainingView(Protocol):
    """What the training loop tells. Values by name: those of `progress_state.LABELS`, `phase`, `state`."""

    def __enter__(self) -> TrainingView:
        """Open the view."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it, leaving the last picture."""

    def start(self, total_steps: int, title: str) -> None:
        """The training loop begins."""

    def update(self, step: int, values: Mapping[str, Any]) -> None:
        """A step is done. An absent value keeps what was shown, None takes it away."""

    def note(self, kind: str, text: str) -> None:
        """Something happened: `phase`, `warning`, `error`, or any other word."""

    def task(
        self, description: str, total: int | None
    ) -> contextlib.AbstractContextManager[TaskHandle]:
        """Work that is not a training step, counted up to `total` (None: unknown)."""


def make_training_view(
    *, quiet: bool, live: bool | None = None, stream: IO[str] | None = None
) -> TrainingView:
    """The view for a stream.

    Args:
        quiet: show nothing.
        live: a panel that redraws itself. None: when the stream is a terminal that can.
        stream: where to. None: standard error as it is now.
    """
    if quiet:
        return SilentView()
    stream = sys.stderr if stream is None else stream
    if live is None:
        live = _is_terminal(stream) and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    return RichTrainingView(stream) if live else PlainTrainingView(stream)


class SilentView:
    """Shows nothing."""

    def __enter__(self) -> SilentView:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to close."""

    def start(self, total_steps: int, title: str) -> None:
        """Nothing."""

    def update(self, step: int, values: Mapping[str, Any]) -> None:
        """Nothing."""

    def note(self, kind: str, text: str) -> None:
        """Nothing."""

    @contextlib.contextmanager
    def task(self, description: str, total: int | None) -> Iterator[TaskHandle]:
        """A counter that nobody looks at."""
        yield _Counter(SideTask(description, total))


class PlainTrainingView(SilentView):
    """Whole lines for logs and pipes: one every few seconds, at once when something happens.

    Args:
        stream: where to.
        interval_s: seconds between lines.
        state: injected by tests for its clock.
    """

    def __init__(
        self,
        stream: IO[str],
        *,
        interval_s: float = PLAIN_INTERVAL_S,
        state: TrainingState | None = None,
    ) -> None:
        self._stream = MutedOnError(stream)
        self._interval_s = interval_s
        self._state = state or TrainingState()
        self._last_line_s = -interval_s
        self._last_seen: tuple[Any, ...] = ()

    def start(self, total_steps: int, title: str) -> None:
        """One line that says so."""
        self._state.start(total_steps, title)
        self._line(f"{title}: {total_steps} steps")

    def update(self, step: int, values: Mapping[str, Any]) -> None:
        """A line when it is time, at the last step, or when phase, state or a held-out value is new."""
        self._state.update(step, values)
        shown = self._state.values
        seen = tuple(
            shown.get(key) for key in ("phase", "state", "heldout_full_pass", "heldout_exhaustive")
        )
        last = step >= self._state.total_steps > 0
        if last or seen != self._last_seen or self._is_time():
            self._last_seen = seen
            self._line(self._step_text())

    def note(self, kind: str, text: str) -> None:
        """A line at once."""
        self._state.add_note(kind, text)
        self._line(f"{kind}: {text}")

    @contextlib.contextmanager
    def task(self, description: str, total: int | None) -> Iterator[TaskHandle]:
        """A line at the start, one now and then, and one at the end."""
        task = SideTask(description, total)
        self._line(f"{description} ...")

        def now_and_then() -> None:
            if task.done != total and self._is_time():
                self._line(_task_text(task))

        yield _Counter(task, now_and_then)
        self._line(f"{_task_text(task)}, done")

    def _step_text(self) -> str:
        state = self._state
        words = [f"step {state.step}/{state.total_steps}"]
        words += [str(state.values[key]) for key in ("phase", "state") if state.values.get(key)]
        words += [f"{label} {text}" for label, text in state.shown()]
        pace = state.step_s()
        if pace is not None:
            words.append(f"{pace:.2f} s/step, {format_duration(state.left_s())} left")
        return "  ".join(words)

    def _is_time(self) -> bool:
        return self._state.elapsed_s() - self._last_line_s >= self._interval_s

    def _line(self, text: str) -> None:
        self._last_line_s = self._state.elapsed_s()
        self._stream.write(f"[{format_duration(self._last_line_s)}] {text}\n")
        self._stream.flush()


class RichTrainingView(SilentView):
    """A panel that redraws itself in place.

    Args:
        stream: the terminal.
        console: injected by tests; None: one on the stream.
        state: injected by tests for its clock.
    """

    def __init__(
        self, stream: IO[str], *, console: Console | None = None, state: TrainingState | None = None
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._state = state or TrainingState()
        self._lock = threading.RLock()  # the redrawing thread reads what the training thread writes
        self._console = console or Console(file=MutedOnError(stream), force_terminal=True)
        self._ascii = not (self._console.encoding or "").lower().startswith("utf")
        self._live = Live(
            console=self._console,
            get_renderable=self.render,
            refresh_per_second=REFRESH_PER_S,
            redirect_stdout=False,  # standard output belongs to the command's result
            redirect_stderr=True,  # a library's warning goes above the panel instead of through it
            vertical_overflow="crop",
        )

    def __enter__(self) -> RichTrainingView:
        """Start redrawing."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw the last picture and stop."""
        self._live.stop()

    def start(self, total_steps: int, title: str) -> None:
        """Show the step counter from here on."""
        with self._lock:
            self._state.start(total_steps, title)

    def update(self, step: int, values: Mapping[str, Any]) -> None:
        """Show the values at the next redraw."""
        with self._lock:
            self._state.update(step, values)

    def note(self, kind: str, text: str) -> None:
        """Show it among the last notes."""
        with self._lock:
            self._state.add_note(kind, text)

    @contextlib.contextmanager
    def task(self, description: str, total: int | None) -> Iterator[TaskHandle]:
        """A line with a bar for as long as the work goes on."""
        task = SideTask(description, total)
        with self._lock:
            self._state.tasks.append(task)
        try:
            yield _Counter(task)
        finally:
            with self._lock:
                self._state.tasks.remove(task)

    # --- drawing ------------------------------------------------------------------------------------------------

    def render(self) -> RenderableType:
        """The panel as it is now."""
        from rich import box
        from rich.console import Group
        from rich.panel import Panel
        from rich.text import Text

        with self._lock:
            state = self._state
            width = self._console.width
            parts: list[RenderableType] = []
            if state.total_steps:
                parts += [self._step_row(), self._values_table(width), self._curve_row(width)]
            parts += [self._task_row(task) for task in state.tasks]
            parts += self._note_rows()
            title = Text(state.title or "preparing", style="bold")
            return Panel(
                Group(*parts) if parts else Text("..."),
                title=title,
                title_align="left",
                box=box.ASCII if self._ascii else box.ROUNDED,
                border_style=_STATE_STYLES.get(state.values.get("state", ""), "dim"),
            )

    def _step_row(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        state = self._state
        row = Table.grid(padding=(0, 1), expand=True)
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        row.add_column(no_wrap=True, justify="right")
        row.add_row(
            Text(f"step {state.step}/{state.total_steps}"),
            ProgressBar(total=state.total_steps, completed=state.step, **_BAR_STYLES),
            Text(
                f"{format_duration(state.elapsed_s())} gone, {format_duration(state.left_s())} left",
                style="dim",
            ),
        )
        return row

    def _values_table(self, width: int) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        cells = [(Text(label, style="dim"), Text(text)) for label, text in self._state.shown()]
        columns = 1 if width < _NARROW else 2
        table = Table.grid(padding=(0, 3))
        for _ in range(columns):
            table.add_column(no_wrap=True, min_width=max(map(len, LABELS.values())))
            table.add_column(no_wrap=True, justify="right", min_width=_VALUE_WIDTH)
        rows = -(-len(cells) // columns)
        for index in range(rows):  # down the first column, then down the second
            row = [cell for pair in cells[index::rows] for cell in pair]
            table.add_row(*row)
        return table

    def _curve_row(self, width: int) -> RenderableType:
        """The held-out curve; its width stands for the whole run, as that of the bar above it."""
        from rich.text import Text

        state = self._state
        word = str(state.values.get("state") or "")
        line = Text.assemble(
            (str(state.values.get("phase") or ""), "magenta"),
            "  ",
            (f"{word:8}", _STATE_STYLES.get(word, "")),
            "  ",
        )
        room = max(8, width - line.cell_len - 4)  # 4: the panel's frame
        curve = sparkline(state.curve, state.step, state.total_steps, room, ascii_only=self._ascii)
        line.append(curve, style="green")
        line.no_wrap = True
        return line

    def _task_row(self, task: SideTask) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=(0, 1), expand=True)
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        bar = ProgressBar(
            total=task.total, completed=task.done, pulse=task.total is None, **_BAR_STYLES
        )
        row.add_row(Text(_task_text(task)), bar)
        return row

    def _note_rows(self) -> list[RenderableType]:
        from rich.text import Text

        return [
            Text.assemble(
                (f"{format_duration(note.at_s):>7} ", "dim"),
                (note.kind, _NOTE_STYLES.get(note.kind, "dim")),
                f" {note.text}",
                overflow="ellipsis",
                no_wrap=True,
            )
            for note in self._state.notes
        ]


class MutedOnError:
    """A text stream that falls silent when writing fails: the reader of a pipe, or the terminal, is gone."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.muted = False

    def write(self, text: str) -> int:
        """Write, unless writing failed before."""
        if not self.muted:
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                self._stream.write(text.encode("ascii", "replace").decode())
            except (OSError, ValueError) as error:  # ValueError: the stream is closed
                self._mute(error)
        return len(text)

    def flush(self) -> None:
        """Flush, unless writing failed before."""
        if not self.muted:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._mute(error)

    def _mute(self, error: Exception) -> None:
        """Fall silent; where nobody reads any more, whatever is written later goes nowhere.

        Otherwise it fails, and where that is the interpreter's last flush, a run that went well ends with code 120.
        """
        self.muted = True
        if not isinstance(error, OSError) or error.errno not in (errno.EPIPE, errno.EIO):
            return
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return _is_terminal(self._stream)

    def fileno(self) -> int:
        """The stream's descriptor, from which Rich asks the terminal's size."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        """The stream's encoding; ASCII when it does not say."""
        return getattr(self._stream, "encoding", None) or "ascii"


class _Counter:
    """Counts a task up and calls back."""

    def __init__(self, task: SideTask, changed: Any = None) -> None:  # noqa: ANN401 - a callable or None
        self._task = task
        self._changed = changed

    def advance(self, n: int = 1) -> None:
        """Count n more units as done."""
        self._task.done += n
        if self._changed is not None:
            self._changed()


def _task_text(task: SideTask) -> str:
    if task.total == 1:  # one piece of work: there is nothing to count
        return task.description
    return f"{task.description} {task.done}" + ("" if task.total is None else f"/{task.total}")


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # no such method; a closed stream
        return False
