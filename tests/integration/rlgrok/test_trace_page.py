"""The page of a trace in a headless Chromium: it steps, plays, fits a phone, and asks the network for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.delta.manufactoria.trace import trace
from rlgrok.tracepage.page import trace_page

pytestmark = pytest.mark.timeout(300)  # a browser, on a machine that may be busy

ROTATE = (
    "START start:\n    NEXT a\nPULLER_RB a:\n    [R] p\n    [EMPTY] end\n"
    "PAINTER_YELLOW p:\n    NEXT a\nEND end"
)
ENDLESS = ROTATE.replace("PAINTER_YELLOW", "PAINTER_RED")


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open the page of a run; at the end no request but for the file itself may have been made, and no error."""
    contexts, requests, errors = [], [], []

    def open_(text: str, tape: str, *, hash_: str = "", title: str = "run", **context: Any) -> Any:
        path = tmp_path / "run.html"
        path.write_text(trace_page(trace(parse(text), tape), title=title), encoding="utf-8")
        contexts.append(browser.new_context(**{"reduced_motion": "reduce", **context}))
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
    assert errors == []


def state(page: Any) -> tuple[int, str, str, str]:
    """Step, highlighted node, tape, words."""
    step = int(page.get_attribute("body", "data-step"))
    nodes = page.locator("#graph .node.now").evaluate_all("all => all.map((node) => node.id)")
    tape = page.locator("#cells .cell:not(.gone)").all_inner_texts()
    return step, "+".join(nodes), "".join(tape), page.inner_text("#event")


def wait_until(page: Any, condition: str) -> None:
    """Poll from outside: Playwright's own waiting evaluates strings in the page, which its policy forbids."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)


def test_stepping_with_buttons_and_keys(open_page: Callable) -> None:
    page = open_page(ROTATE, "RRG")
    expected = [
        (1, "node-start", "RRG", "start: start, go to a"),
        (2, "node-a", "RRG", "a: pull R from the front, go to p"),
        (3, "node-p", "RG", "p: paint Y at the back, go to a"),
        (4, "node-a", "RGY", "a: pull R from the front, go to p"),
        (5, "node-p", "GY", "p: paint Y at the back, go to a"),
        (6, "node-a", "GYY", "a: the front is G, not R or B: pull nothing, go to end"),
        (7, "node-end", "GYY", "end: accepted; the final tape is GYY"),
    ]
    for number, wanted in enumerate(expected):
        if number:
            page.click("#next")
        assert state(page) == wanted
    assert page.is_disabled("#next")
    assert page.inner_text("#verdict") == "accepted"
    assert page.locator("#edge-a-end.now").count() == 1
    assert page.locator("#event.good").count() == 1
    for key, step in (("ArrowLeft", 6), ("Home", 1), ("ArrowRight", 2), ("End", 7)):
        page.keyboard.press(key)
        assert state(page) == expected[step - 1], key
    assert page.locator(".node.seen").count() == 4
    page.click("#back")
    page.click("#first")
    assert page.locator(".node.seen").count() == 1, "what is shown depends on the step alone"
    assert state(page) == expected[0]
    page.click("#last")
    assert page.inner_text("#count") == "7 / 7"


def test_seeking_with_slider_list_and_address(open_page: Callable) -> None:
    page = open_page(ROTATE, "RRG", hash_="#4")
    assert state(page)[:3] == (4, "node-a", "RGY")
    page.locator("#seek").fill("6")
    assert state(page)[:2] == (6, "node-a")
    page.click("#steps li:nth-child(3)")
    assert state(page)[:2] == (3, "node-p")
    assert page.locator("#steps li.now").all_inner_texts() == ["3\np\npaint Y at the back"]
    assert page.locator("#listing .now").all_inner_texts() == [
        "PAINTER_YELLOW p:\n",
        "    NEXT a\n",
    ]
    page.evaluate("location.hash = '#2'")
    wait_until(page, "document.body.dataset.step === '2'")


def test_what_is_pulled_and_painted_is_marked(open_page: Callable) -> None:
    page = open_page(ROTATE, "RB", hash_="#3")
    assert page.locator("#cells .gone").all_inner_texts() == ["R"]
    assert page.locator("#cells .front").all_inner_texts() == ["B"]
    page.keyboard.press("ArrowRight")
    assert page.locator("#cells .painted").all_inner_texts() == ["Y"]
    colors = page.locator("#cells .cell").evaluate_all(
        "all => all.map((cell) => getComputedStyle(cell).backgroundColor)"
    )
    assert len(set(colors)) == 2


def test_playing_to_the_end_and_again(open_page: Callable) -> None:
    page = open_page(ROTATE, "R" * 20)
    page.select_option("#speed", "1")
    page.locator("body").press("Space")
    assert page.get_attribute("#play", "aria-label") == "Pause"
    page.select_option("#speed", "100")
    wait_until(page, "!document.body.classList.contains('playing')")
    assert page.get_attribute("#play", "aria-label") == "Play"
    assert page.is_disabled("#next"), "the end"
    page.select_option("#speed", "1")
    click = "document.getElementById('play').click(), document.body.dataset.step"
    assert page.evaluate(click) == "1", "from the start again"
    page.click("#play")
    assert page.locator("body.playing").count() == 0
    page.locator("body").press("+")
    assert page.input_value("#speed") == "2"


def test_a_dot_runs_along_the_edge_unless_motion_is_to_be_reduced(open_page: Callable) -> None:
    watch = """new MutationObserver((records) => records.forEach((record) => record.addedNodes.forEach(
        (node) => { if (node.id === 'robot') window.ran = record.target.id; }
    ))).observe(document.getElementById('graph'), { childList: true, subtree: true })"""
    for motion in ("no-preference", "reduce"):
        page = open_page(ROTATE, "RRG", hash_="#2", reduced_motion=motion)
        page.evaluate(watch)
        page.click("#next")
        if motion == "reduce":
            assert page.evaluate("window.ran") is None
        else:
            wait_until(page, "window.ran === 'edge-a-p'")
            wait_until(page, "document.getElementById('robot') === null")


def test_a_rejection_says_why_and_a_thousand_steps_are_no_burden(open_page: Callable) -> None:
    page = open_page(ENDLESS, "RR")
    assert page.text_content("#verdict").strip() == "rejected: iteration limit"
    assert "go round for ever" in page.inner_text(".callout")
    assert page.input_value("#speed") == "30", "fast enough to be over in a minute"
    page.keyboard.press("End")
    step, node, tape, words = state(page)
    assert (step, node, tape) == (1000, "node-a", "RR")
    assert words.endswith("rejected: iteration limit; the final tape is R")
    assert page.locator("#graph .node.rejected").count() == 1


def test_a_long_tape_is_cut_in_the_middle(open_page: Callable) -> None:
    page = open_page(ROTATE, "B" * 5000 + "R", hash_="#2")
    assert page.locator("#cells .cell").count() == 66
    assert (
        page.inner_text("#cells .more")
        == "\N{HORIZONTAL ELLIPSIS} 4935 more \N{HORIZONTAL ELLIPSIS}"
    )
    assert page.inner_text("#length") == "5001 symbols"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_in_both_schemes(scheme: str, open_page: Callable) -> None:
    page = open_page(ROTATE, "R" * 36, color_scheme=scheme, viewport={"width": 360, "height": 740})
    wide = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    assert page.evaluate(wide) == 0
    lightness = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (min(lightness) > 200) is (scheme == "light")
    box = page.locator("#play").bounding_box()
    assert box["y"] + box["height"] <= 740, "the controls are in sight"
    assert min(box["width"], box["height"]) >= 40, "large enough for a thumb"
    page.click("#last")
    now, graph = page.locator(".node.now").bounding_box(), page.locator("#graph").bounding_box()
    assert graph["x"] <= now["x"] + now["width"] / 2 <= graph["x"] + graph["width"]


def test_a_hostile_title_is_text_and_scripts_of_others_do_not_run(open_page: Callable) -> None:
    title = "</script><script>document.title = 'taken'</script><img src=x onerror=alert(1)>"
    page = open_page(ROTATE, "R", title=title)
    assert page.inner_text("h1") == title
    assert page.title() == f"{title} - trace"
