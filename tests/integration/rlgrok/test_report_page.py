"""The reports of a run and of a study in a headless Chromium: offline, on a phone, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rlgrok.delta import SCOPES
from rlgrok.evaluation.gzip_lines import append_lines
from rlgrok.report import build_report
from rlgrok.report.study import write_study_report
from rlgrok.study import JobKey, read_finished, read_plan
from runtime.run import Run

pytestmark = pytest.mark.timeout(300)  # a browser, on a machine that may be busy

DATA = {
    "scope": "manufactoria", "families": ["contains_ordered"], "colors": "two", "lengths": [3],
    "heldout_share": 0.5, "max_problems": None, "tests": "delta",
}  # fmt: skip
PLAN = """
name: toy
about: What does the toy do, in a sentence that is longer than a phone is wide?
common: [experiment=grok_tiny]
arms: {staged: [], delta_dense: [data.tests=delta, schedule=dense, schedule.dense_reward=balanced]}
reference: staged
seeds: [0]
"""


def write_run(path: Path, climb_at: int) -> None:
    """A training that climbs at a step, with programs to look at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    run = Run.create(
        path, command="rl train", name="demo", argv=["toolkit", "rl", "train", "x" * 200], overrides=[], seeds={},
        config={"name": "demo", "seed": 0, "data": DATA, "schedule": {"kind": "staged"}, "evaluation": {"k": [1]}},
    )  # fmt: skip
    scope = SCOPES["manufactoria"]
    keys = ("families", "colors", "lengths", "heldout_share", "max_problems", "tests")
    problems = scope.build(**{key: DATA[key] for key in keys}, seed=0).heldout
    run.event("trivial_floor", step=0, value=0.57, programs={"contains_ordered": "some R"})
    for step in range(0, 41, 2):
        right = step >= climb_at
        shares = dict.fromkeys(("full_pass", "heldout_full_pass", "heldout_exhaustive"), float(right))
        groups = {"informative_observed": 0.5, "informative_expected": 0.4, "zero_variance_share": 0.2}
        run.metrics.log(step, {**shares, **groups, "dense_reward": 0.6, "entropy": 0.3})
        wrong = "START start:\n    NEXT end\nEND end"
        append_lines(
            run.path / "rollouts.jsonl.gz",
            [
                {
                    "step": step, "kind": kind, "problem_id": problem.id, "status": "passed" if right else "failed",
                    "text": scope.oracle(problem) if right else wrong, "pass_rate": 1.0 if right else 0.5,
                    "full_pass": right, "exhaustive": right if kind == "greedy" else None, "replayed": False,
                }
                for problem in problems
                for kind in (("greedy", "train") if step else ("greedy",))
            ],
        )  # fmt: skip
    run.metrics.flush()
    run.write_summary({
        "heldout_full_pass": 1.0, "heldout_exhaustive": 1.0, "num_heldout": 4, "cpu_s": 1.0, "steps": 40,
        "stopped": "solved", "base_pass_at_k": None,
    })  # fmt: skip
    run.finish("done")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports, by what they are of."""
    study = tmp_path_factory.mktemp("study")
    plan = read_plan(PLAN, where="x")
    for arm, climb_at in (("staged", 20), ("delta_dense", 99)):
        write_run(JobKey(arm, 0).folder(study), climb_at)
    result = write_study_report(study, plan, read_finished(study, plan), {}, 0)
    return {
        "run": build_report(JobKey("staged", 0).folder(study)),
        "study": Path(result["report"]),
    }


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; at the end nothing but the file may have been asked for, and nothing may have gone wrong."""
    contexts, requests, errors = [], [], []

    def open_(path: Path, **context: Any) -> Any:
        contexts.append(browser.new_context(offline=True, **context))
        page = contexts[-1].new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    outside = [url for url in requests if not url.startswith(("file://", "data:"))]
    assert (outside, errors) == ([], [])


@pytest.mark.parametrize("name", ["run", "study"])
def test_a_phone_scrolls_down_and_not_sideways(name: str, pages: dict, open_page: Callable) -> None:
    page = open_page(pages[name], viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    # Text in a picture stays as large as it was drawn for, and the picture itself scrolls.
    widths = page.locator(".picture img").evaluate_all("all => all.map((one) => one.clientWidth)")
    assert widths and all(width >= 500 for width in widths)
    assert page.locator("p").first.evaluate("one => parseFloat(getComputedStyle(one).fontSize)") >= 14


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["run", "study"])
def test_text_stands_out_from_the_page(name: str, scheme: str, pages: dict, open_page: Callable) -> None:
    page = open_page(pages[name], viewport={"width": 1200, "height": 900}, color_scheme=scheme)
    ink, paper = (
        page.evaluate(f"getComputedStyle(document.body).{what}") for what in ("color", "backgroundColor")
    )
    assert (luminance(paper) > luminance(ink)) is (scheme == "light")
    for selector in ("body", ".subtitle", ".intro", "figcaption"):
        colour = page.locator(selector).first.evaluate("one => getComputedStyle(one).color")
        assert contrast(colour, paper) >= 4.5, selector


def test_every_picture_is_there_and_says_what_it_shows(pages: dict, open_page: Callable) -> None:
    page = open_page(pages["run"], viewport={"width": 1200, "height": 900})
    images = page.locator("img").evaluate_all("all => all.map((one) => [one.naturalWidth, one.alt])")
    assert len(images) == 4 and all(width > 0 and words for width, words in images)
    graphs = page.locator("svg.factory")
    assert graphs.count() >= 3
    assert all(box["width"] > 300 for box in (graphs.nth(i).bounding_box() for i in range(graphs.count())))
    anchors = page.locator("nav a").evaluate_all("all => all.map((one) => one.hash)")
    assert anchors and all(page.locator(anchor).count() == 1 for anchor in anchors)


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)`, as WCAG 2 defines it."""
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
