"""The page of a scene in a headless Chromium: it draws both sides, steps, plays, and asks the network for nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rlgrok.delta.bouncingsim.motion import Motion, record_motion
from rlgrok.delta.bouncingsim.scene import read_scene
from rlgrok.tracepage.scene_page import Outcome, TestRow, scene_page

pytestmark = pytest.mark.timeout(300)  # a browser, on a machine that may be busy

FROZEN = Path(__file__).parents[2] / "unit" / "rlgrok" / "delta" / "bouncingsim" / "frozen.jsonl"
FILLED = 0.8 * 255
"""Alpha of a ball's inside; the picture has no ground."""


@cache
def motion() -> Motion:
    """Several balls in one container."""
    for line in FROZEN.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["id"] == "G_1_1":
            return record_motion(read_scene(entry["scene"]))
    raise AssertionError("no such scene")


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open a page of `motion`; at the end no request but for the file itself may have been made, and no error."""
    contexts, requests, errors = [], [], []

    def open_(*, hash_: str = "", title: str = "G_1_1", **given: Any) -> Any:
        path = tmp_path / "scene.html"
        path.write_text(scene_page(motion(), title=title, **given), encoding="utf-8")
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(path.as_uri() + hash_)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert all(url.startswith("file://") for url in requests)
    assert len(requests) == len(contexts)
    # That a picture is read back often is the tests' own doing.
    assert [error for error in errors if "willReadFrequently" not in error] == []


def alpha(page: Any, canvas: str, x: float, y: float) -> int:
    """Opacity of the picture at a place of the scene, 0 to 255."""
    return page.evaluate(
        """([name, x, y]) => {
          const canvas = document.getElementById(name), size = canvas.width;
          const [left, low, right, high] = JSON.parse(document.getElementById("run").textContent).bounds;
          const scale = size / Math.max(right - left, high - low);
          const column = Math.round(size / 2 + scale * (x - (left + right) / 2));
          const row = Math.round(size / 2 - scale * (y - (low + high) / 2));
          return canvas.getContext("2d").getImageData(column, row, 1, 1).data[3];
        }""",
        [canvas, x, y],
    )


def drawn(page: Any, canvas: str, frame: int) -> list[bool]:
    """For each ball, whether it is filled where the truth has it at a frame."""
    places = [(x, y) for x, y, _ in motion().balls[frame]]
    return [alpha(page, canvas, x, y) >= FILLED - 2 for x, y in places]


def test_both_sides_are_drawn(open_page: Callable) -> None:
    """A program for which nothing moves: right at the beginning, beside the truth at the end."""
    stays = [[place[:2]] * len(motion().times) for place in motion().balls[0]]
    rows = (TestRow("0.10", "1.0", "2.0", "passed"), TestRow("0.20", "70.0", "90.0", "failed"))
    outcome = Outcome(False, "1 of 2 tests", rows)
    page = open_page(predicted=stays, outcome=outcome)
    last = len(motion().times) - 1
    num = len(motion().balls[0])
    assert num > 2
    assert drawn(page, "truth", 0) == drawn(page, "prediction", 0) == [True] * num
    assert page.inner_text("#error") == "off by 0.0 m"
    page.keyboard.press("End")
    assert page.inner_text("#count") == "1.50 s"
    assert drawn(page, "truth", last) == [True] * num
    assert drawn(page, "prediction", last) != [True] * num
    assert drawn(page, "prediction", 0) == [True] * num
    assert float(page.inner_text("#error").split()[2]) > 50
    assert page.inner_text("#verdict") == "1 of 2 tests"
    assert page.locator(".tests tbody tr").count() == 2


def test_stepping_seeking_and_playing(open_page: Callable) -> None:
    page = open_page(hash_="#30")
    assert page.inner_text("#count") == "0.75 s"
    assert page.locator("#prediction").count() == 0
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#count") == f"{motion().times[31]:.2f} s"
    page.click("#back")
    page.click("#back")
    assert page.inner_text("#count") == f"{motion().times[29]:.2f} s"
    page.keyboard.press("Home")
    assert drawn(page, "truth", 0) == [True] * len(motion().balls[0])
    page.select_option("#speed", "1")
    page.click("#play")
    deadline = time.monotonic() + 60
    while page.inner_text("#count") != "1.50 s":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert page.get_attribute("#play", "aria-label") == "Play"
    assert drawn(page, "truth", len(motion().times) - 1) == [True] * len(motion().balls[0])


def test_no_positions_are_said_and_a_hostile_title_is_text(open_page: Callable) -> None:
    nothing = [[None] * len(motion().times) for _ in motion().balls[0]]
    title = "</title><script>document.title = 'taken'</script>"
    page = open_page(predicted=nothing, title=title)
    assert page.inner_text("#error") == "no positions"
    assert page.inner_text("h1") == title
    assert page.title() != "taken"
