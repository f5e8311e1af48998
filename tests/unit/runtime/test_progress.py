"""The views: what a person sees on a terminal, in a pipe, when quiet, and after the terminal has gone."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading

import pytest
from rich.console import Console

from runtime.progress import (
    MutedOnError,
    PlainTrainingView,
    RichTrainingView,
    SilentView,
    make_training_view,
)
from runtime.progress_state import TrainingState


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


class Broken(io.StringIO):
    """A stream whose reader has gone after some writes."""

    def __init__(self, error, after=0):
        super().__init__()
        self.error, self.after, self.attempts = error, after, 0

    def write(self, text):
        self.attempts += 1
        if self.attempts > self.after:
            raise self.error
        return super().write(text)


# --- which view -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "term", "kind"),
    [
        ({"quiet": True, "live": True, "stream": Terminal()}, "xterm", SilentView),
        ({"quiet": False, "stream": Terminal()}, "xterm-256color", RichTrainingView),
        ({"quiet": False, "stream": Terminal()}, "dumb", PlainTrainingView),
        ({"quiet": False, "stream": Terminal()}, "", PlainTrainingView),
        ({"quiet": False, "stream": io.StringIO()}, "xterm", PlainTrainingView),
        ({"quiet": False, "live": False, "stream": Terminal()}, "xterm", PlainTrainingView),
        ({"quiet": False, "live": True, "stream": io.StringIO()}, "dumb", RichTrainingView),
    ],
)
def test_the_view_fits_the_stream(monkeypatch, options, term, kind):
    monkeypatch.setenv("TERM", term)
    assert type(make_training_view(**options)) is kind


def test_the_default_is_standard_error_as_it_is_now(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with make_training_view(quiet=False) as view:
        view.note("warning", "hello")
    assert "warning: hello" in stream.getvalue()


def test_a_closed_stream_is_no_terminal():
    stream = Terminal()
    stream.close()
    with make_training_view(quiet=False, stream=stream) as view:
        view.note("warning", "nobody reads this")


# --- plain ----------------------------------------------------------------------------------------------------------


def plain_view(interval_s=10.0, stream=None):
    now = [0.0]
    stream = stream or io.StringIO()
    view = PlainTrainingView(
        stream, interval_s=interval_s, state=TrainingState(clock=lambda: now[0])
    )
    return view, now, stream


def test_plain_lines_come_every_few_seconds_and_at_the_end():
    view, now, stream = plain_view()
    view.start(30, "demo")
    for step in range(1, 31):
        now[0] += 1.0
        view.update(step, {"phase": "dense", "reward": step / 30})
    assert stream.getvalue().splitlines() == [
        "[0:00] demo: 30 steps",
        "[0:01] step 1/30  dense  reward 0.033",
        "[0:11] step 11/30  dense  reward 0.367  1.00 s/step, 0:19 left",
        "[0:21] step 21/30  dense  reward 0.700  1.00 s/step, 0:09 left",
        "[0:30] step 30/30  dense  reward 1.000  1.00 s/step, 0:00 left",
    ]


@pytest.mark.parametrize("key", ["phase", "state", "heldout_full_pass", "heldout_exhaustive"])
def test_a_plain_line_comes_at_once_when_something_is_new(key):
    view, now, stream = plain_view()
    view.start(100, "demo")
    view.update(1, {})
    for step, value in ((2, 0.25), (3, 0.25), (4, 0.75)):
        now[0] += 0.5
        view.update(step, {key: value})
    steps = re.findall(r"step (\d+)/100", stream.getvalue())
    assert steps == ["1", "2", "4"]  # the first step is always shown


def test_plain_notes_and_tasks():
    view, now, stream = plain_view()
    with view.task("drawing", 100) as task:
        for _ in range(10):
            now[0] += 4.0
            task.advance(10)
    view.note("phase", "step 3: dense -> binary")
    assert stream.getvalue().splitlines() == [
        "[0:00] drawing ...",
        "[0:12] drawing 30/100",
        "[0:24] drawing 60/100",
        "[0:36] drawing 90/100",
        "[0:40] drawing 100/100, done",
        "[0:40] phase: step 3: dense -> binary",
    ]


def test_a_plain_task_says_its_end_once_and_counts_only_what_can_be_counted():
    view, now, stream = plain_view()
    with view.task("decoding", 2) as task:
        now[0] += 60.0
        task.advance(2)
    with view.task("loading torch", 1):
        now[0] += 5.0
    assert stream.getvalue().splitlines() == [
        "[0:00] decoding ...",
        "[1:00] decoding 2/2, done",
        "[1:00] loading torch ...",
        "[1:05] loading torch, done",
    ]


def test_a_plain_task_that_fails_is_not_called_done():
    view, _, stream = plain_view()
    with pytest.raises(ValueError, match="boom"), view.task("drawing", None) as task:
        task.advance()
        raise ValueError("boom")
    assert stream.getvalue().splitlines() == ["[0:00] drawing ..."]


def test_plain_lines_are_plain():
    view, _, stream = plain_view()
    view.start(2, "demo")
    view.update(2, {"phase": "dense", "state": "climbing", "reward": 1.0, "heldout_full_pass": 0.5})
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().isascii()


def test_plain_lines_survive_a_stream_that_cannot_show_them():
    raw = io.BytesIO()
    view, _, _ = plain_view(stream=io.TextIOWrapper(raw, encoding="ascii"))
    view.note("warning", "größer → kleiner")
    assert raw.getvalue() == b"[0:00] warning: gr??er ? kleiner\n"


# --- rich -----------------------------------------------------------------------------------------------------------


def drawn(width=100, encoding="utf-8", **steps):
    """The panel as text after some steps of a run."""
    now = [0.0]
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(record=True, width=width, file=file, force_terminal=True, color_system=None)
    view = RichTrainingView(file, console=console, state=TrainingState(clock=lambda: now[0]))
    prepare = steps.get("prepare", lambda _view: None)
    prepare(view)
    if "total" in steps:
        view.start(steps["total"], "grok_tiny")
        for step, values in steps["updates"]:
            now[0] += 2.0
            view.update(step, values)
    with view.task("judging", 1200) as task:
        task.advance(300)
        console.print(view.render())
    return console.export_text()


UPDATES = [
    (
        step,
        {
            "phase": "dense" if step < 50 else "binary",
            "reward": step / 100,
            "heldout_full_pass": float(step > 60),
        },
    )
    for step in range(1, 81)
] + [
    (
        81,
        {
            "state": "climbing",
            "entropy": 0.5,
            "heldout_exhaustive": 0.9,
            "zero_variance_share": 0.25,
        },
    )
]


def test_the_panel_shows_where_the_run_is():
    text = drawn(
        total=100,
        updates=UPDATES,
        prepare=lambda view: view.note("phase", "step 50: dense -> binary"),
    )
    for part in (
        "grok_tiny", "step 81/100", "2:42 gone, 0:38 left", "reward", "0.800", "held-out, tests", "1.000",
        "held-out, exhaustive", "0.900", "zero-variance groups", "25 %", "0.500 nats", "binary", "climbing",
        "judging 300/1200", "phase step 50: dense -> binary",
    ):  # fmt: skip
        assert part in text
    curve = next(line for line in text.splitlines() if "climbing" in line)
    assert re.search(r"▁{40,}█{10,}", curve)


@pytest.mark.parametrize("width", [40, 71, 72, 100, 200])
def test_the_panel_fits_its_width(width):
    lines = drawn(width, total=100, updates=UPDATES).splitlines()
    assert all(len(line) == width for line in lines)
    assert sum("held-out, tests" in line for line in lines) == 1


def test_the_panel_on_a_terminal_without_unicode_is_ascii():
    text = drawn(encoding="ascii", total=100, updates=UPDATES)
    assert text.isascii()
    assert "climbing" in text


def test_the_panel_before_the_first_step_shows_the_work():
    text = drawn(prepare=lambda view: view.note("warning", "base refused"))
    assert "preparing" in text and "judging 300/1200" in text and "warning base refused" in text
    assert "step" not in text


def test_a_task_leaves_when_it_is_over_even_by_an_error():
    state = TrainingState()
    view = RichTrainingView(io.StringIO(), state=state)
    with pytest.raises(ValueError, match="boom"), view.task("drawing", None):
        assert state.tasks
        raise ValueError("boom")
    assert state.tasks == []


def test_the_live_view_draws_and_gives_the_cursor_back(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with make_training_view(quiet=False, stream=stream) as view:
        view.start(10, "demo")
        view.update(1, {"reward": 0.5})
    text = stream.getvalue()
    assert "step 1/10" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is shown again, last


def test_the_live_view_leaves_standard_output_alone(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with make_training_view(quiet=False, stream=stream):
        sys.stdout.write('{"run": 1}\n')
    assert capsys.readouterr().out == '{"run": 1}\n'
    assert "run" not in stream.getvalue()


def test_many_updates_while_redrawing(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    failures = []
    monkeypatch.setattr(
        threading, "excepthook", lambda arguments: failures.append(arguments.exc_value)
    )
    monkeypatch.setattr("runtime.progress.REFRESH_PER_S", 200)
    with make_training_view(quiet=False, stream=Terminal()) as view:
        view.start(3000, "demo")
        for step in range(3000):
            view.update(step, {f"key{step}": 1.0, "heldout_full_pass": step / 3000})
            view.note("warning", str(step))
    assert failures == []


# --- a terminal that goes away --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [BrokenPipeError(), OSError(5, "Input/output error"), ValueError("closed file")],
    ids=repr,
)
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("after", [0, 1])
def test_the_run_goes_on_when_the_terminal_is_gone(monkeypatch, error, live, after):
    failures = []
    monkeypatch.setattr(
        threading, "excepthook", lambda arguments: failures.append(arguments.exc_value)
    )
    stream = Broken(error, after)
    with make_training_view(quiet=False, live=live, stream=stream) as view:
        view.start(3, "demo")
        with view.task("drawing", 5) as task:
            task.advance(5)
        for step in (1, 2, 3):
            view.update(step, {"reward": 1.0, "phase": str(step)})
        view.note("warning", "x")
    assert failures == []
    assert stream.attempts == after + 1  # it does not try again


def test_a_muted_stream_still_answers():
    stream = MutedOnError(Broken(BrokenPipeError()))
    assert stream.write("abc") == 3
    assert stream.muted
    stream.flush()
    assert stream.encoding == "ascii"
    assert not stream.isatty()


def test_what_is_written_after_the_reader_is_gone_does_not_fail():
    code = (
        "import os, sys\n"
        "from runtime.progress import MutedOnError\n"
        "stream = MutedOnError(sys.stderr)\n"
        "stream.write('no end of line')\n"
        "stream.flush()\n"
        "assert stream.muted\n"
        "assert os.write(2, b'x') == 1\n"
    )
    ours, theirs = os.pipe()
    os.close(ours)
    process = subprocess.run([sys.executable, "-c", code], stderr=theirs, timeout=60, check=False)
    os.close(theirs)
    assert process.returncode == 0


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_a_real_terminal_that_is_closed():
    code = (
        "import sys, time\n"
        "from runtime.progress import make_training_view\n"
        "with make_training_view(quiet=False) as view:\n"
        "    view.start(20, 'demo')\n"
        "    for step in range(1, 21):\n"
        "        view.update(step, {'reward': 0.5})\n"
        "        sys.stdin.readline()\n"
        "print(type(view).__name__, step)\n"
    )
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, text=True,
        env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    process.stdin.write("\n")
    process.stdin.flush()
    assert os.read(ours, 10)  # it has begun to draw
    os.close(ours)
    output, _ = process.communicate("\n" * 19, timeout=60)
    assert (process.returncode, output) == (0, "RichTrainingView 20\n")
