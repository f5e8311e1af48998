"""The compiled judge against the plain one: the same outcome of every text, in both modes, to the last message."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.batch import Batch, EncodedTests, judge_batch
from rlgrok.delta.manufactoria.dsl import format_program
from rlgrok.delta.manufactoria.judge import judge, to_verdict
from rlgrok.types import TestCase

PIECES = st.sampled_from(
    [
        "\n", "\n    ", "\n   ", "\n\t", " ", ":", "#", "```", "[R] n0", "[EMPTY] end", "[G]", "NEXT end", "NEXT",
        "START start:", "END end", "PULLER_RB n0:", "PULLER_YG n1:", "PAINTER_RED n2:", "END", "NONE", "\r", "\x0b",
        "\x1c", "\x00", "\u00a0", "\u2028", "x", "é", "\ud800", "_a_name_longer_than_eight", "PAINTER_YELLOW ab:",
    ]
)  # fmt: skip
TESTS = st.builds(
    TestCase,
    input=st.one_of(st.text("RBYGx\n", max_size=8), st.sampled_from(["é", "R" * 997, "R" * 998])),
    expected_output=st.one_of(
        st.text("RBYG", max_size=4), st.sampled_from(["R*", "(R|B)+", "(", "[R]", "x", "é"])
    ),
    expected_accepted=st.booleans(),
    check_output=st.booleans(),
)


def plainly(batch: Batch) -> list[object]:
    """Every verdict of a batch by the plain judge."""
    return [
        to_verdict(judge(text, tests, strict=batch.strict), tests)
        for text, tests in zip(
            batch.texts, (list(batch.tests.sets[number]) for number in batch.sets), strict=True
        )
    ]


def assert_alike(texts: list[str], sets: list[list[TestCase]], numbers: list[int]) -> None:
    """A batch gives the plain verdicts, test by test and in words, strict or not."""
    encoded = EncodedTests(sets)
    for strict in (False, True):
        batch = judge_batch(texts, numbers, encoded, strict=strict)
        assert [batch.verdict(index) for index in range(len(texts))] == plainly(batch)
        for index, text in enumerate(texts):
            results = judge(text, sets[numbers[index]], strict=strict).results
            row = batch.passed[batch.rows[index] : batch.rows[index + 1]]
            assert row.tolist() == [result.passed for result in results] or not results
            assert results or not row.any()


@st.composite
def mutated_texts(draw: st.DrawFn, programs: st.SearchStrategy) -> str:
    """A program's text with up to three places overwritten."""
    text = format_program(draw(programs))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 6)))
        text = text[:start] + draw(PIECES) + text[end:]
    return text


@settings(max_examples=60)
@given(data=st.data())
def test_a_batch_is_judged_as_each_text_alone(
    data: st.DataObject, any_program: st.SearchStrategy, reader_program: st.SearchStrategy
) -> None:
    of_any = mutated_texts(st.one_of(any_program, reader_program))
    texts = data.draw(st.lists(of_any, min_size=1, max_size=12))
    sets = data.draw(st.lists(st.lists(TESTS, max_size=5), min_size=1, max_size=3))
    numbers = [data.draw(st.integers(0, len(sets) - 1)) for _ in texts]
    assert_alike(texts, sets, numbers)
