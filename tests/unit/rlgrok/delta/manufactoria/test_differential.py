"""Our judge and the plain interpreter, text for text: the same parse outcome by category, the same record."""

from __future__ import annotations

from dataclasses import asdict
from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.dsl import ParseError, format_program, parse
from rlgrok.delta.manufactoria.judge import judge
from rlgrok.types import TestCase

PIECES = st.sampled_from(
    [
        "\n", "\n    ", "\n   ", "\n\t", " ", ":", "#", "```", "[R] n0", "[EMPTY] end", "[G]", "NEXT end", "NEXT",
        "START start:", "END end", "PULLER_RB n0:", "PULLER_YG n1:", "PAINTER_RED n2:", "END", "NONE", "\r", "\x0b",
        "\u00a0", "\u2028", "x", "é",
    ]
)  # fmt: skip
TESTS = st.builds(
    TestCase,
    input=st.text("RBYGx", max_size=8),
    expected_output=st.one_of(
        st.text("RBYG", max_size=4), st.sampled_from(["R*", "(R|B)+", "(", "[R]"])
    ),
    expected_accepted=st.booleans(),
    check_output=st.booleans(),
)


@given(data=st.data())
def test_mutated_texts_parse_alike(
    data: st.DataObject, plain: ModuleType, any_program: st.SearchStrategy
) -> None:
    text = format_program(data.draw(any_program))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 6)))
        text = text[:start] + data.draw(PIECES) + text[end:]
    try:
        expected = list(plain.parse(text).items())
    except plain.PlainParseError as error:
        expected = str(error)
    try:
        found = [
            (node.name, (str(node.kind), [tuple(edge) for edge in node.edges]))
            for node in parse(text).nodes
        ]
    except ParseError as error:
        found = str(error.category)
    assert found == expected


@given(data=st.data())
def test_records_are_alike(
    data: st.DataObject, plain: ModuleType, any_program: st.SearchStrategy
) -> None:
    text = format_program(data.draw(any_program))
    tests = data.draw(st.lists(TESTS, max_size=4))
    ours = judge(text, tests, keep_paths=True)
    theirs = plain.judge(text, [asdict(test) for test in tests])
    assert (ours.valid, ours.all_passed) == (theirs["valid"], theirs["all_passed"])
    for mine, yours in zip(ours.results, theirs["results"], strict=True):
        assert mine._asdict() == {**yours, "path": tuple(yours["path"])}
