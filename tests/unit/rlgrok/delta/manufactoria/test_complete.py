"""The complete record by compiled code against the plain one, and answers that would be too long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.complete import TooLarge, complete
from rlgrok.delta.manufactoria.dsl import format_program
from rlgrok.delta.manufactoria.judge import judge
from rlgrok.types import TestCase

LOOP = "START start:\n    NEXT {0}\nPULLER_RB {0}:\n    [R] {0}\n    [EMPTY] {0}\nEND end"
TESTS = st.builds(
    TestCase,
    input=st.one_of(st.text("RBYGx\n", max_size=8), st.sampled_from(["é", "R" * 997, "R" * 998])),
    expected_output=st.sampled_from(["", "R", "RB", "R*", "(R|B)+", "("]),
    expected_accepted=st.booleans(),
    check_output=st.booleans(),
    description=st.sampled_from(["", "why"]),
)
PIECES = st.sampled_from(
    ["\n", "    ", "#", "```", "[G]", "NEXT", "END", "NONE", "é", "n0", "a_very_long_name"]
)


def told(text: str, tests: list[TestCase], *, strict: bool, plain: bool) -> tuple[object, ...]:
    """Everything that a judgement says, comparable."""
    judgement = (
        judge(text, tests, strict=strict, keep_paths=True)
        if plain
        else complete(text, tests, strict=strict)
    )
    return judgement.all_passed, judgement.results, judgement.message


@settings(max_examples=60)
@given(data=st.data())
def test_every_field_is_the_plain_one(data: st.DataObject, any_program: st.SearchStrategy) -> None:
    text = format_program(data.draw(any_program))
    if data.draw(st.booleans()):
        text = text.replace("n1", "é1").replace(
            "n2", data.draw(st.sampled_from(["x" * 9, "x" * 8]))
        )
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(PIECES) + text[at:]
    tests = data.draw(st.lists(TESTS, max_size=4))
    for strict in (False, True):
        assert told(text, tests, strict=strict, plain=False) == told(
            text, tests, strict=strict, plain=True
        )


@pytest.mark.parametrize(
    ("name", "num_tests", "message"),
    [("p", 3000, "visit 3000000 nodes"), ("p" * 100_000, 1, "have 99900005 characters")],
)
def test_an_answer_of_gigabytes_is_refused(name: str, num_tests: int, message: str) -> None:
    with pytest.raises(TooLarge, match=message):
        complete(LOOP.format(name), [TestCase("R")] * num_tests)
