"""Factory graphs: what is drawn for which program, and that any program gives a sound picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.graphs import (
    MAX_ROW,
    Line,
    assign_lanes,
    edge_ids,
    flow_order,
    node_id,
    node_lines,
    program_svg,
)
from rlgrok.graphs.columns import draw_columns
from rlgrok.graphs.lines import program_lines
from rlgrok.graphs.row import draw_row

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


def picture(text: str, draw) -> ElementTree.Element:
    program = parse(text)
    drawing = draw(program, *program_lines(program), with_ids=True)
    size = f'width="{drawing.width}" height="{drawing.height}"'
    return ElementTree.fromstring(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{drawing.parts()}</svg>'
    )


@settings(max_examples=150, deadline=None)
@given(programs())
def test_any_program_gives_a_sound_picture_in_both_layouts(text: str) -> None:
    lines = lines_of(text)
    lanes = assign_lanes(lines)
    for one, other in combinations(lanes, 2):
        if one.side == other.side and lanes[one] == lanes[other]:
            assert one.columns[1] <= other.columns[0] or other.columns[1] <= one.columns[0]
    program = parse(text)
    for draw in (draw_row, draw_columns):
        root = picture(text, draw)
        width, height = float(root.get("width")), float(root.get("height"))
        for element in root.iter(f"{SVG}rect"):
            x, y = float(element.get("x")), float(element.get("y"))
            assert x >= 0
            assert y >= 0
            assert x + float(element.get("width")) <= width
            assert y + float(element.get("height")) <= height
        for element in root.iter(f"{SVG}path"):
            assert "nan" not in element.get("d")
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        drawn = {node_id(name) for name in flow_order(program)}
        assert sorted(ids) == sorted(drawn | set(edge_ids(program).values())), "each once"


@settings(max_examples=60, deadline=None)
@given(programs())
def test_nodes_in_columns_do_not_overlap(text: str) -> None:
    root = picture(text, draw_columns)
    boxes = [
        group.find(f"{SVG}rect") for group in root.iter(f"{SVG}g") if group.get("class") == "node"
    ]
    sides = [tuple(float(box.get(name)) for name in ("x", "y", "width", "height")) for box in boxes]
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(sides, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_small_programs_stand_in_a_row_and_larger_ones_in_columns() -> None:
    def chain(count: int) -> str:
        rows = [f"PAINTER_RED n{n}:\n    NEXT n{n + 1}" for n in range(count)]
        text = "\n".join(["START start:\n    NEXT n0", *rows, "END end"])
        return text.replace(f"NEXT n{count}\n", "NEXT end\n")

    small, large = parse(chain(MAX_ROW - 2)), parse(chain(MAX_ROW - 1))
    for program, draw in ((small, draw_row), (large, draw_columns)):
        drawing = draw(program, *program_lines(program), with_ids=False)
        assert f'width="{drawing.width:g}"' in program_svg(program)
    assert (
        draw_columns(small, *program_lines(small), with_ids=False).width
        < draw_row(small, *program_lines(small), with_ids=False).width
    )


def test_edges_have_the_ids_of_their_routes() -> None:
    text = (
        "START start:\n    NEXT a\nPULLER_RB a:\n    [R] end\n    [EMPTY] end\n"
        "PULLER_RB lost:\n    [R] a\nEND end"
    )
    assert edge_ids(parse(text)) == {
        ("start", "NEXT"): "edge-start-a",
        ("a", "R"): "edge-a-end",
        ("a", "EMPTY"): "edge-a-end",
        ("a", "B"): "edge-a-NONE",
    }
    assert 'id="' not in program_svg(parse(text)), "a page may hold several pictures"
    assert 'id="edge-a-NONE"' in program_svg(parse(text), with_ids=True)
