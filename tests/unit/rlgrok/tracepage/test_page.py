"""The page of a trace as a file: complete, closed to the network, and safe with any name."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.delta.manufactoria.trace import trace
from rlgrok.tracepage.page import trace_page

EAT = (
    "START start:\n    NEXT a\nPULLER_RB a:\n    [R] a\n    [B] lost\n    [EMPTY] end\n"
    "PAINTER_RED lost:\n    NEXT NONE\nEND end"
)
VOID = {"meta", "input", "path", "rect", "circle"}


class Page(HTMLParser):
    """Elements with their attributes and text; checks that tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def page_of(text: str = EAT, tape: str = "RRG", **options) -> tuple[str, Page]:
    html = trace_page(trace(parse(text), tape), **{"title": "eat", **options})
    return html, Page(html)


def test_the_run_is_in_the_page_and_edges_are_in_the_picture() -> None:
    _, page = page_of()
    data = json.loads(page.texts["script"][0])
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert data["belt"] == "RRG"
    assert [step["node"] for step in data["steps"]] == ["start", "a", "a", "a", "end"]
    assert [step["front"] for step in data["steps"]] == [0, 0, 1, 2, 2]
    assert [step["edge"] for step in data["steps"]] == [
        "edge-start-a", "edge-a-a", "edge-a-a", "edge-a-end", None,
    ]  # fmt: skip
    for step in data["steps"]:
        assert step["id"] in ids
        assert step["edge"] is None or step["edge"] in ids
    assert len([i for i in ids if i]) == len([a["id"] for _, a in page.tags if "id" in a]), (
        "ids are unique"
    )


def test_rejections_are_edges_too_where_they_are_drawn() -> None:
    _, page = page_of(EAT.replace("    [B] lost\n", ""), "B")
    steps = json.loads(page.texts["script"][0])["steps"]
    assert steps[1]["edge"] == "edge-a-NONE"
    assert steps[2]["id"] is None, "NONE is no node of the picture"


def test_only_its_own_script_may_run_and_nothing_may_be_loaded() -> None:
    html, page = page_of()
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; ")
    script = page.texts["script"][1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "connect-src" not in policy
    assert set(re.findall(r"https?://[^\"']*", html)) == {"http://www.w3.org/2000/svg"}
    assert not [a for _, a in page.tags if "src" in a or "href" in a or any(n.startswith("on") for n in a)]  # fmt: skip


def test_the_verdict_stands_there_without_scripts() -> None:
    _, page = page_of()
    assert "accepted" in page.texts["p"]
    _, page = page_of(tape="B")
    assert "rejected" in page.texts["p"]
    assert ": routed to NONE" in page.texts["span"]
    assert 'The run was rejected: routed to NONE; the final tape is "R".' in " ".join(page.texts["p"])  # fmt: skip


def test_a_loop_is_pointed_out() -> None:
    html, _ = page_of("START start:\n    NEXT start\nEND end", "")
    assert "Steps 1 and 2 have the same node and the same tape" in html
    assert "same node" not in page_of()[0]


def test_the_same_run_gives_the_same_bytes() -> None:
    assert page_of()[0] == page_of()[0]


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=30) | st.just("</title><script>x()</script>"))
def test_any_title_stays_text(title: str) -> None:
    _, page = page_of(title=title)
    assert [tag for tag, _ in page.tags].count("script") == 2


def test_tapes_cannot_end_the_data() -> None:
    _, page = page_of(tape="R</script><!--&")
    assert json.loads(page.texts["script"][0])["belt"] == "R</script><!--&"
