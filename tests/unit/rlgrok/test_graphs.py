"""Factory graphs: what is drawn for which program, and that any program gives a sound picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.graphs import Line, assign_lanes, flow_order, node_lines, program_svg

SVG = "{http://www.w3.org/2000/svg}"

ORDERED = """START start:
    NEXT n0
PULLER_RB n0:
    [R] n1
    [B] n0
PULLER_RB n1:
    [R] end
    [B] n1
END end"""


def lines_of(text: str) -> list[Line]:
    program = parse(text)
    order = flow_order(program)
    places = {name: place for place, name in enumerate(order)}
    return [line for name in order for line in node_lines(program.by_name[name], places)]


def words(svg: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_loops_and_steps_of_a_subsequence_acceptor() -> None:
    lines = lines_of(ORDERED)
    assert lines == [
        Line(0, 1, ()),
        Line(1, 2, ("R",)),
        Line(1, 1, ("B",)),
        Line(2, 3, ("R",)),
        Line(2, 2, ("B",)),
    ]
    assert [line.side for line in lines] == ["right", "right", "loop", "right", "loop"]
    assert words(program_svg(parse(ORDERED))) == [
        "R", "B", "R", "B", "START", "n0", "read R or B", "n1", "read R or B", "END", "accept",
    ]  # fmt: skip


def test_routes_to_one_target_share_a_line() -> None:
    text = (
        "START start:\n    NEXT a\nPULLER_RB a:\n    [R] end\n    [B] end\n    [EMPTY] end\nEND end"
    )
    assert lines_of(text)[1] == Line(1, 2, ("R", "B", "EMPTY"))


def test_missing_and_none_routes_are_one_stub_and_a_missing_empty_is_not_drawn() -> None:
    text = "START start:\n    NEXT a\nPULLER_RB a:\n    [R] NONE\nEND end"
    assert lines_of(text)[1:] == [Line(1, None, ("R", "B"))]
    assert "never reached" in words(program_svg(parse(text)))


def test_the_first_of_duplicate_routes_is_drawn() -> None:
    text = "START start:\n    NEXT a\nPULLER_RB a:\n    [R] end\n    [R] a\n    [B] a\nEND end"
    assert lines_of(text)[1:] == [Line(1, 2, ("R",)), Line(1, 1, ("B",))]


def test_an_upper_case_end_is_no_node_and_rejects() -> None:
    text = "START start:\n    NEXT a\nPULLER_RB a:\n    [R] END\n    [B] end\nEND end"
    assert Line(1, None, ("R",)) in lines_of(text)


def test_backward_and_skipping_edges_leave_below_and_above() -> None:
    text = ("START start:\n    NEXT a\nPULLER_RB a:\n    [R] b\n    [B] c\nPULLER_RB b:\n    [R] c\n    [B] a\n"
            "PULLER_YG c:\n    [Y] end\n    [G] a\nEND end")  # fmt: skip
    sides = {(line.source, line.target): line.side for line in lines_of(text)}
    assert sides[1, 3] == "top"
    assert sides[2, 1] == "bottom"
    assert sides[3, 1] == "bottom"
    lanes = assign_lanes(lines_of(text))
    assert lanes[Line(2, 1, ("B",))] == 0
    assert lanes[Line(3, 1, ("G",))] == 1


def test_unreachable_nodes_are_counted_not_drawn() -> None:
    text = ORDERED.replace("END end", "PAINTER_RED lost:\n    NEXT lost\nEND end")
    svg = program_svg(parse(text))
    assert "1 unreachable node not drawn" in words(svg)
    assert "lost" not in words(svg)


def test_titles_and_names_are_escaped_and_long_names_cut() -> None:
    text = "START start:\n    NEXT a_very_long_node_name\nPAINTER_RED a_very_long_node_name:\n    NEXT end\nEND end"
    svg = program_svg(parse(text), title='<b>"R & B"')
    assert ElementTree.fromstring(svg).find(f"{SVG}title").text == '<b>"R & B"'
    assert "a_very_long…" in words(svg)


def test_self_contained_and_for_both_schemes() -> None:
    svg = program_svg(parse(ORDERED))
    assert 'fill="currentColor"' in svg
    assert "<style" not in svg  # it would reach out of the picture, into the page
    assert svg.count("http") == 1  # the namespace only: nothing is loaded
    assert "<script" not in svg


NAMES = ["a", "b", "c", "d", "e"]
TARGETS = st.sampled_from([*NAMES, "end", "start", "NONE", "END"])


@st.composite
def programs(draw) -> str:
    rows = [f"START start:\n    NEXT {draw(TARGETS)}"]
    for name in NAMES:
        kind = draw(st.sampled_from(["PULLER_RB", "PULLER_YG", "PAINTER_GREEN"]))
        if kind == "PAINTER_GREEN":
            rows.append(f"{kind} {name}:\n    NEXT {draw(TARGETS)}")
            continue
        conditions = draw(st.lists(st.sampled_from([*kind[-2:], "EMPTY"]), max_size=4))
        rows.append(
            "\n".join([f"{kind} {name}:", *(f"    [{c}] {draw(TARGETS)}" for c in conditions)])
        )
    return "\n".join([*rows, "END end"])


@settings(max_examples=200, deadline=None)
@given(programs())
def test_any_program_gives_a_sound_picture(text: str) -> None:
    lines = lines_of(text)
    lanes = assign_lanes(lines)
    for one, other in combinations(lanes, 2):
        if one.side == other.side and lanes[one] == lanes[other]:
            assert one.columns[1] <= other.columns[0] or other.columns[1] <= one.columns[0]
    root = ElementTree.fromstring(program_svg(parse(text)))
    width, height = float(root.get("width")), float(root.get("height"))
    for element in root.iter(f"{SVG}rect"):
        x, y = float(element.get("x")), float(element.get("y"))
        assert x >= 0
        assert y >= 0
        assert x + float(element.get("width")) <= width
        assert y + float(element.get("height")) <= height
    for element in root.iter(f"{SVG}path"):
        assert "nan" not in element.get("d")
