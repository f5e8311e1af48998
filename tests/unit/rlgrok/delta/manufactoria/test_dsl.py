"""The parser against every parse row of the differential checklist (section 13), and its two promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.dsl import (
    Edge,
    Kind,
    Node,
    ParseCategory,
    ParseError,
    Program,
    extract_program,
    format_program,
    parse,
)

C = ParseCategory
MINIMAL = "START start:\n    NEXT end\nEND end"
READER = "START start:\n    NEXT p\nPULLER_RB p:\n    [R] end\n    [B] NONE\nEND end"


def error_of(text: str) -> tuple[ParseCategory, int | None]:
    with pytest.raises(ParseError) as caught:
        parse(text)
    return caught.value.category, caught.value.line


ACCEPTED = {
    "minimal": MINIMAL,
    "upper-case END target": "START start:\n    NEXT END\nEND end",
    "NONE target": "START start:\n    NEXT NONE\nEND end",
    "plain fence": f"```\n{MINIMAL}\n```",
    "opening fence only": f"```\n{MINIMAL}",
    "closing fence only": f"{MINIMAL}\n```",
    "comment with a colon after END": "START start:\n    NEXT end\nEND end # a: b",
    "comment right after the colon": "START start:#x\n    NEXT end\nEND end",
    "tab": "START start:\n\tNEXT end\nEND end",
    "five blanks": "START start:\n     NEXT end\nEND end",
    "CRLF": MINIMAL.replace("\n", "\r\n"),
    "comment under END": f"{MINIMAL}\n    # nothing",
    "comment between routes": READER.replace("    [B]", "# left out\n    [B]"),
    "blank line between routes": READER.replace("    [B]", "\n    [B]"),
    "puller without routes": "START start:\n    NEXT p\nPULLER_RB p:\nEND end",
    "duplicate conditions": READER.replace("[B] NONE", "[R] NONE"),
    "declaration indented by three blanks": READER.replace("PULLER_RB", "   PULLER_RB"),
    "non-ASCII and numeric ids": "START start:\n    NEXT é1\nPULLER_RB é1:\n    [R] 1\n"
    "PULLER_YG 1:\n    [Y] end\nEND end",
    "END before START": "END end\nSTART start:\n    NEXT end",
    "no-break space before the target": "START start:\n    NEXT\u00a0end\nEND end",
    "unreachable node": f"{MINIMAL}\nPAINTER_RED p:\n    NEXT p",
    "node called NONE": f"{MINIMAL}\nPULLER_RB NONE:",
    "node called END": f"{MINIMAL}\nPULLER_RB END:\n    [R] end",
    "every painter": MINIMAL
    + "".join(f"\nPAINTER_{c} p{c}:\n    NEXT end" for c in ("RED", "BLUE", "YELLOW", "GREEN")),
}

REFUSED = {
    "empty": ("", C.EMPTY_PROGRAM, None),
    "blank": (" \n\t\n", C.EMPTY_PROGRAM, None),
    "only comments": ("# a\n  # b", C.EMPTY_PROGRAM, None),
    "only a fence": ("```", C.EMPTY_PROGRAM, None),
    "two fences and nothing": ("```\n```", C.EMPTY_PROGRAM, None),
    "tagged fence": (f"```manufactoria\n{MINIMAL}\n```", C.INVALID_DECLARATION, 1),
    "doubled opening fence": (f"```\n```\n{MINIMAL}", C.INVALID_DECLARATION, 2),
    "lower-case NONE": (MINIMAL.replace("end\n", "none\n"), C.UNDEFINED_NODE, 1),
    "END with a colon": (MINIMAL + ":", C.END_COLON, 3),
    "START without a colon": ("START start\n    NEXT end\nEND end", C.MISSING_COLON, 1),
    "colon in a comment": ("START start # :\n    NEXT end\nEND end", C.MISSING_COLON, 1),
    "blank before the colon": ("START start :\n    NEXT end\nEND end", C.INVALID_DECLARATION, 1),
    "route indented by two": ("START start:\n  NEXT end\nEND end", C.EXACTLY_ONE_NEXT, 1),
    "route indented by three": ("START start:\n   NEXT end\nEND end", C.EXACTLY_ONE_NEXT, 1),
    "route indented by blank and tab": (
        "START start:\n \tNEXT end\nEND end",
        C.EXACTLY_ONE_NEXT,
        1,
    ),
    "puller route indented by three": (
        READER.replace("    [R]", "   [R]"),
        C.INVALID_DECLARATION,
        4,
    ),
    "lower-case keyword": (MINIMAL.replace("START", "start"), C.INVALID_DECLARATION, 1),
    "lower-case next": (MINIMAL.replace("NEXT", "next"), C.INVALID_NEXT_ROUTE, 2),
    "lower-case colour": (READER.replace("[R]", "[r]"), C.INVALID_PULLER_ROUTE, 4),
    "NEXT with two words": (MINIMAL.replace("NEXT end", "NEXT end end"), C.INVALID_NEXT_ROUTE, 2),
    "no blank after the bracket": (READER.replace("[R] ", "[R]"), C.INVALID_PULLER_ROUTE, 4),
    "NEXT under a puller": (READER.replace("[R] end", "NEXT end"), C.INVALID_PULLER_ROUTE, 4),
    "colour under START": (MINIMAL.replace("NEXT end", "[R] end"), C.INVALID_NEXT_ROUTE, 2),
    "START with another name": (MINIMAL.replace("start:", "s:"), C.START_NAME, 1),
    "END with another name": (MINIMAL.replace("END end", "END e"), C.END_NAME, 3),
    "two STARTs": (f"{MINIMAL}\nSTART start:\n    NEXT end", C.DUPLICATE_ID, 4),
    "two ENDs": (f"{MINIMAL}\nEND end", C.DUPLICATE_ID, 4),
    "puller named start": ("PULLER_RB start:\nEND end", C.NO_START, None),
    "no END": ("START start:\n    NEXT NONE", C.NO_END, None),
    "START without a route": ("START start:\nEND end", C.EXACTLY_ONE_NEXT, 1),
    "START with two routes": (
        "START start:\n    NEXT end\n    NEXT end\nEND end",
        C.EXACTLY_ONE_NEXT,
        1,
    ),
    "painter without a route": (f"{MINIMAL}\nPAINTER_RED p:", C.EXACTLY_ONE_NEXT, 4),
    "route under END": (f"{MINIMAL}\n    NEXT end", C.END_ROUTE, 4),
    "other pair's colour": (READER.replace("[B]", "[Y]"), C.INVALID_CONDITION, 3),
    "program indented by four": (
        "\n".join("    " + line for line in MINIMAL.split("\n")),
        C.INVALID_NEXT_ROUTE,
        3,
    ),
    "id with a hyphen": (MINIMAL.replace("end\n", "a-b\n"), C.INVALID_NEXT_ROUTE, 2),
    "undefined target": (READER.replace("[R] end", "[R] q"), C.UNDEFINED_NODE, 3),
    "unknown kind": (f"{MINIMAL}\nPAINTER_PINK p:", C.INVALID_DECLARATION, 4),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_programs(name: str) -> None:
    assert {node.kind for node in parse(ACCEPTED[name]).nodes} >= {Kind.START, Kind.END}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_programs(name: str) -> None:
    text, category, line = REFUSED[name]
    assert error_of(text) == (category, line)


def test_nodes_and_routes_are_read_in_order() -> None:
    assert parse(READER) == Program(
        (
            Node(Kind.START, "start", (Edge("NEXT", "p"),)),
            Node(Kind.PULLER_RB, "p", (Edge("R", "end"), Edge("B", "NONE"))),
            Node(Kind.END, "end"),
        )
    )


def test_line_numbers_are_those_of_the_text_as_given() -> None:
    """The reference counts from the first line it kept (P3); a user looks at the text."""
    assert error_of(f"\n\n```\n{MINIMAL}:\n```") == (C.END_COLON, 6)


def test_a_route_check_comes_before_the_count_of_routes() -> None:
    assert error_of("START start:\n    NEXT end\n    next end\nEND end")[0] is C.INVALID_NEXT_ROUTE


def test_the_duplicate_check_comes_before_the_naming_check() -> None:
    assert error_of("PULLER_RB s:\nSTART s:\n    NEXT end\nEND end")[0] is C.DUPLICATE_ID


def test_a_message_shows_the_line_and_what_is_wrong() -> None:
    with pytest.raises(ParseError, match=r"^Line 2: invalid NEXT route: 'next end'$"):
        parse(MINIMAL.replace("NEXT", "next"))


def test_the_message_of_an_endless_line_is_short() -> None:
    with pytest.raises(ParseError) as caught:
        parse("x" * 1_000_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        ("no block", "no block"),
        ("```manufactoria\n A \n```", "A"),
        ("```\nA\n```", "A"),
        ("first ```A``` then ```manufactoria B``` end", "B"),
        ("```python\nA\n```", "python\nA"),
        ("an open ``` only", "an open ``` only"),
        ("```Manufactoria\nA```", "Manufactoria\nA"),
        ("", ""),
    ],
)
def test_extraction_takes_the_last_block(completion: str, program: str) -> None:
    assert extract_program(completion) == program


IDS = st.sampled_from(["n0", "n1", "n2", "end", "NONE", "END", "start", "é", "7"])
FRAGMENTS = st.one_of(
    st.sampled_from(
        [*(kind.value for kind in Kind), "NEXT", "[R]", "[B]", "[Y]", "[G]", "[EMPTY]"]
    ),
    st.sampled_from(["\n", "\n    ", "\n\t", "\n   ", " ", ":", ":\n", "#", "```", "\r", "\u00a0"]),
    IDS,
    st.text(max_size=3),
)


@given(st.one_of(st.text(), st.lists(FRAGMENTS, max_size=60).map("".join)))
def test_nothing_but_a_parse_error_is_ever_raised(text: str) -> None:
    try:
        parse(text)
    except ParseError as error:
        assert error.category in ParseCategory


@given(data=st.data())
def test_a_mutated_program_parses_or_is_a_parse_error(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(sorted(ACCEPTED.values())))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    mutated = text[:start] + data.draw(FRAGMENTS) + text[end:]
    try:
        assert parse(mutated).by_name
    except ParseError as error:
        assert error.category in ParseCategory


@pytest.mark.parametrize("name", ACCEPTED)
def test_formatting_then_parsing_gives_the_same_program(name: str) -> None:
    program = parse(ACCEPTED[name])
    assert parse(format_program(program)) == program
    assert format_program(parse(format_program(program))) == format_program(program)
