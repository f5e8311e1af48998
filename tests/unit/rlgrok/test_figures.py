"""Figures: what is drawn and labelled, that unfinished runs draw too, that the same data gives the same bytes."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from rlgrok import figures
from rlgrok.curves import Curves, read_curves

TRANSITION = {
    "transition_step": 25,
    "transition_interval_95": [20, 30],
    "plateau_steps": 20,
    "climb_start": 20,
}
PNG = b"\x89PNG\r\n\x1a\n"


def make_curves(**changes) -> Curves:
    metrics = [{"step": 0, "heldout_full_pass": 0.0, "heldout_exhaustive": 0.0}]
    for step in range(1, 51):
        line = {
            "step": step,
            "full_pass": min(1.0, step / 50),
            "dense_reward": 0.5 + step / 100,
            "zero_variance_share": 0.1,
            "entropy": 0.3,
            "decisive_entropy": 0.5,
            "gate_distance": max(0.0, 0.8 - step / 50),
            "informative_observed": 0.5,
            "informative_expected": 0.4,
        }
        if step % 10 == 0:
            line |= {
                "heldout_full_pass": float(step >= 20),
                "heldout_exhaustive": float(step >= 30),
            }
        metrics.append(line)
    events = [
        {"kind": "phase_changed", "step": 31, "old": "dense", "new": "binary"},
        {"kind": "trivial_floor", "step": 0, "value": 0.57},
    ]
    greedy = [
        {"problem_id": f"family:two:{name}", "step": step, "full_pass": step >= 20, "exhaustive": step >= right,
         "pass_rate": 0.5}
        for name, right in (("RR", 40), ("BB", 30))
        for step in range(0, 51, 10)
    ]  # fmt: skip
    parts = {"metrics": metrics, "events": events, "greedy": greedy}
    return read_curves(**{**parts, **changes})


def evaluation(label: str, value: float, tests: float | None = None) -> dict:
    rows = [
        {
            "verdict": verdict,
            "k": k,
            "value": number,
            "low": number / 2,
            "high": min(1, number * 1.5),
        }
        for verdict, number in (("tests", value if tests is None else tests), ("exhaustive", value))
        for k in (1, 2, 4)
    ]
    return {"label": label, "pass_at_k": rows}


@pytest.fixture
def drawn(monkeypatch):
    """The matplotlib figures behind the bytes."""
    kept = []
    original = figures._figure

    @contextmanager
    def recording(width: float, height: float):
        with original(width, height) as (figure, output):
            kept.append(figure)
            yield figure, output

    monkeypatch.setattr(figures, "_figure", recording)
    return kept


def words(figure) -> str:
    axes_words = [text.get_text() for axes in figure.axes for text in axes.texts]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    labels = [text.get_text() for legend in legends for text in legend.get_texts()]
    return "\n".join([*axes_words, *titles, *labels])


def line_named(figure, label: str):
    return next(line for axes in figure.axes for line in axes.lines if line.get_label() == label)


def test_training_curve_shows_both_verdicts_and_marks_what_happened(drawn) -> None:
    png = figures.training_curve(
        make_curves(), title="A title", transition=TRANSITION, base="base: pass@8 = 0"
    )
    assert png.startswith(PNG)
    text = words(drawn[0])
    for expected in ("A title", "base: pass@8 = 0", "transition at step 25\n95 %: 20 to 30", "plateau, 20 steps",
                     "dense → binary\nstep 31", "95 % interval, 2 problems", "training: dense reward"):  # fmt: skip
        assert expected in text
    exhaustive = line_named(drawn[0], "held-out: right on every short input")
    assert exhaustive.get_xdata().tolist() == [0, 10, 20, 30, 40, 50]
    assert exhaustive.get_ydata().tolist() == [0, 0, 0, 1, 1, 1]
    assert line_named(drawn[0], "held-out: passes the tests").get_ydata().tolist() == [
        0,
        0,
        1,
        1,
        1,
        1,
    ]


@pytest.mark.parametrize("transition", [None, {"transition_step": None}])
def test_no_transition_marks_none(drawn, transition) -> None:
    figures.training_curve(make_curves(), title="t", transition=transition)
    assert "transition" not in words(drawn[0])
    assert "plateau" not in words(drawn[0])


def test_the_interval_band_is_the_exact_one(drawn) -> None:
    figures.training_curve(make_curves(), title="t")
    band = drawn[0].axes[0].collections[0].get_paths()[0].vertices
    at_zero = band[band[:, 0] == 0][:, 1]
    assert at_zero.max() == pytest.approx(1 - 0.025 ** (1 / 2))  # 0 of 2 problems
    assert at_zero.min() == 0.0


@pytest.mark.parametrize("num_lines", [0, 1, 2, 30])
def test_every_figure_can_be_drawn_at_any_moment_of_a_run(num_lines: int) -> None:
    lines = [{"step": step, "full_pass": 0.0, "entropy": 0.1} for step in range(1, num_lines + 1)]
    curves = read_curves(lines)
    for png in (
        figures.training_curve(curves, title="t"),
        figures.diagnostics(curves, title="t"),
        figures.problem_map(curves, title="t"),
        figures.pass_at_k_curves([], title="t"),
    ):
        assert png.startswith(PNG)


def test_diagnostics_have_a_panel_for_what_was_logged(drawn) -> None:
    figures.diagnostics(make_curves(), title="t")
    figures.diagnostics(
        read_curves([{"step": 1, "entropy": 0.1}, {"step": 2, "entropy": 0.2}]), title="t"
    )
    assert len(drawn[0].axes) == 4
    informative = drawn[0].axes[1]
    assert [label.get_text() for label in informative.get_legend().get_texts()] == [
        "came", "expected, 1 - p^G - (1-p)^G",
    ]  # fmt: skip
    assert len(drawn[1].axes) == 1
    assert "tokens that decide the program" in words(drawn[0])


def test_pass_at_k_shows_the_tests_verdict_only_where_it_differs(drawn) -> None:
    figures.pass_at_k_curves(
        [evaluation("base", 0.0), evaluation("policy", 0.5, tests=0.7)], title="t"
    )
    labels = words(drawn[0])
    assert "base policy" in labels
    assert "base policy\n" not in labels.split("t\n")[-1].split("trained")[0].rstrip("\n")
    assert (
        line_named(drawn[0], "trained policy\nright on every short input").get_ydata().tolist()
        == [0.5] * 3
    )
    assert (
        line_named(drawn[0], "trained policy\npasses the tests").get_ydata().tolist() == [0.7] * 3
    )
    assert (
        len([line for line in drawn[0].axes[0].lines if line.get_label().startswith("base")]) == 1
    )


def test_the_problem_map_colours_verdicts_and_orders_by_first_success(drawn) -> None:
    figures.problem_map(make_curves(), title="t")
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["BB", "RR"]
    pixels = axes.images[0].get_array()
    assert tuple(pixels[0, 3]) == pytest.approx(to_rgb(figures.BLUE))  # BB at step 30: right
    assert tuple(pixels[1, 3]) == pytest.approx(
        to_rgb(figures.ORANGE)
    )  # RR at step 30: a false pass
    grey = pixels[0, 0]
    assert grey[0] == grey[1] == grey[2]
    assert 0.5 < grey[0] < 1.0


def test_the_trivial_floor_is_a_line(drawn) -> None:
    figures.training_curve(make_curves(), title="t")
    line = line_named(drawn[0], "trivial floor: 0.57 of the dense reward")
    assert set(line.get_ydata()) == {0.57}


def test_the_problem_map_goes_by_what_stays_learned(drawn) -> None:
    """A is right once early and then again late; B is right late and stays: B was learned first."""
    steps = {"A": [0, 1, 0, 0, 1, 1], "B": [0, 0, 0, 1, 1, 1], "C": [0, 0, 0, 0, 0, 0], "D": [0, 0, 1, 0, 0, 0]}
    greedy = [
        {"problem_id": f"f:{name}", "step": 10 * index, "full_pass": bool(right), "exhaustive": bool(right),
         "pass_rate": 0.5}
        for name, row in steps.items()
        for index, right in enumerate(row)
    ]  # fmt: skip
    figures.problem_map(read_curves([], greedy=greedy), title="t")
    assert [label.get_text() for label in drawn[0].axes[0].get_yticklabels()] == ["B", "A", "D", "C"]


def test_the_map_of_training_problems(drawn) -> None:
    training = {
        "f:late": {1: (0, 4), 3: (1, 4), 4: (3, 4), 5: (4, 4)},
        "f:early": {2: (2, 4), 3: (4, 4)},
        "f:never": {1: (0, 4), 5: (3, 4), 6: (0, 4)},
    }
    figures.training_map(read_curves([], training=training), title="t")
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["early", "late", "never"]
    image = np.asarray(axes.images[0].get_array().filled(np.nan))
    assert image.shape == (3, 6)
    assert image[1].tolist()[2:5] == [0.25, 0.75, 1.0] and np.isnan(image[0, 0])
    # Longer runs share columns: steps 1 to 150 in 38 of four.
    figures.training_map(read_curves([], training={"f:x": {1: (0, 4), 2: (4, 4), 150: (4, 4)}}), title="t")
    image = np.asarray(drawn[1].axes[0].images[0].get_array().filled(np.nan))
    assert image.shape == (1, 38) and image[0, 0] == 0.5 and image[0, 37] == 1.0


def test_the_same_data_gives_the_same_bytes() -> None:
    first, second = (
        figures.training_curve(make_curves(), title="t", transition=TRANSITION) for _ in range(2)
    )
    assert first == second


def test_wide_enough_for_a_readme() -> None:
    png = figures.training_curve(make_curves(), title="t")
    width = int.from_bytes(png[16:20], "big")
    assert width == 9 * figures.DPI
    assert np.isclose(width, 1440)


def seed(number: int, *, climbs_at: int | None, switch: int | None) -> dict:
    last = 40 if climbs_at is None else climbs_at + 10
    steps = list(range(0, last + 1, 10))
    return {
        "seed": number,
        "steps": steps,
        "accuracy": [float(climbs_at is not None and step >= climbs_at) for step in steps],
        "switch": switch,
        "transition": climbs_at,
    }


def test_many_seeds_in_the_order_of_their_climbs(drawn) -> None:
    runs = [
        seed(7, climbs_at=None, switch=None),
        seed(8, climbs_at=20, switch=26),
        seed(9, climbs_at=10, switch=None),
    ]
    assert figures.seed_curves(runs, title="t").startswith(PNG)
    lower = drawn[0].axes[1]
    assert [label.get_text() for label in lower.get_yticklabels()] == ["9", "8", "7"]
    marks = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]), line.get_marker())
        for line in lower.lines
        if len(line.get_xdata())
    }
    assert marks == {(10.0, 0.0, "o"), (20.0, 1.0, "o"), (26.0, 1.0, "s")}
    mean = line_named(drawn[0], "mean")
    # A run that ended because it was solved counts as solved from then on: 2 of 3 seeds at step 40.
    assert mean.get_xdata()[-1] == 40 and mean.get_ydata()[-1] == pytest.approx(2 / 3)
    assert mean.get_ydata()[0] == 0.0
