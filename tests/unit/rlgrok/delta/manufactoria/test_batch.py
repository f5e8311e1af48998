"""The compiled judge against the plain one: the same outcome of every text, in both modes, to the last message."""

from __future__ import annotations

from itertools import pairwise

import numba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria import compiled
from rlgrok.delta.manufactoria.batch import Batch, EncodedTests, judge_batch
from rlgrok.delta.manufactoria.dsl import format_program
from rlgrok.delta.manufactoria.judge import judge, to_verdict
from rlgrok.types import TestCase

PIECES = st.sampled_from(
    [
        "\n",
        "\n    ",
        "\n   ",
        "\n\t",
        " ",
        ":",
        "#",
        "```",
        "[R] n0",
        "[EMPTY] end",
        "[G]",
        "NEXT end",
        "NEXT",
        "START start:",
        "END end",
        "PULLER_RB n0:",
        "PULLER_YG n1:",
        "PAINTER_RED n2:",
        "END",
        "NONE",
        "\r",
        "\x0b",
        "\x1c",
        "\x00",
        "\u00a0",
        "\u2028",
        "x",
        "é",
        "\ud800",
        "_a_name_longer_than_eight",
        "PAINTER_YELLOW ab:",
    ]
)
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


START, END = "START start:\n    NEXT p\n", "END end"
EAT = START + "PULLER_RB p:\n    [R] p\n    [EMPTY] end\n" + END
MANY = [*"pabcdefghij", "end"]
CHECKLIST = [
    "START start:\n    NEXT end\nEND end",
    "START start:\n    NEXT END\nEND end",
    "START start:\n    NEXT NONE\nEND end",
    "START start:\n    NEXT none\nEND end",
    "```\nSTART start:\n    NEXT end\nEND end\n```",
    "```manufactoria\nSTART start:\n    NEXT end\nEND end\n```",
    "```\n```\nSTART start:\n    NEXT end\nEND end",
    "",
    "# one\n  # two",
    "```",
    "```\n```",
    "START start:\n    NEXT end\nEND end:",
    "START start:\n    NEXT end\nEND end # a: b",
    "START start\n    NEXT end\nEND end",
    "START start # :\n    NEXT end\nEND end",
    "START start :\n    NEXT end\nEND end",
    "START start:\n  NEXT end\nEND end",
    "START start:\n   NEXT end\nEND end",
    "START start:\n \tNEXT end\nEND end",
    "START start:\n\tNEXT end\nEND end",
    "START start:\n     NEXT end\nEND end",
    "START start:\r\n    NEXT end\r\nEND end\r\n",
    "start start:\n    NEXT end\nEND end",
    "START start:\n    next end\nEND end",
    START + "PULLER_RB p:\n    [r] end\n" + END,
    "START s:\n    NEXT end\nEND end",
    "START start:\n    NEXT e\nEND e",
    "START start:\n    NEXT end\nSTART start:\n    NEXT end\nEND end",
    "PULLER_RB start:\n    [R] end\nEND end",
    "START start:\nEND end",
    "START start:\n    NEXT end\n    NEXT end\nEND end",
    "START start:\n    NEXT end\nEND end\n    NEXT end",
    "START start:\n    NEXT end\nEND end\n    # comment",
    START + "PULLER_RB p:\n    [Y] end\n" + END,
    START + "PULLER_RB p:\n" + END,
    START + "PULLER_RB p:\n    [R] end\n    [R] NONE\n" + END,
    START + "   PULLER_RB p:\n    [R] end\n   " + END,
    "    START start:\n        NEXT end\n    END end",
    START.replace(" p", " é1") + "PULLER_RB é1:\n    [R] end\n" + END,
    START.replace(" p", " 1") + "PULLER_RB 1:\n    [R] end\n" + END,
    START.replace(" p", " a-b") + "PULLER_RB a-b:\n    [R] end\n" + END,
    START.replace(" p", " END") + "PULLER_RB END:\n    [R] end\n" + END,
    START.replace(" p", " NONE") + "PULLER_RB NONE:\n    [EMPTY] end\n" + END,
    START + "PULLER_RB p:\n    [EMPTY] end\n" + END,
    START + "PAINTER_RED p:\n    NEXT p\n" + END,
    "START start:\n    NEXT start\nEND end",
    EAT,
    "END end\nSTART start:\n    NEXT end",
    "START start:\n    NEXT\u00a0end\nEND end",
    "START start:\n    NEXT end x\nEND end",
    START + "PULLER_RB p:\n    [R]end\n" + END,
    START + "PAINTER_RED p:\n    NEXT q\nPAINTER_BLUE q:\n    NEXT p\n" + END,
    START + "PULLER_RB p:\n    [R] q\n    [EMPTY] q\nPAINTER_RED q:\n    NEXT p\n" + END,
    START + "".join(f"PAINTER_YELLOW {a}:\n    NEXT {b}\n" for a, b in pairwise(MANY)) + END,
]


def test_every_row_of_the_differential_checklist_is_judged_alike() -> None:
    inputs = ["", "R", "B", "YR", "xR", "RBYG", "R" * 997, "R" * 998]
    tests = [
        TestCase(tape, expected, accepted, checks)
        for tape in inputs
        for expected, accepted, checks in [
            ("", True, False),
            (tape, True, True),
            ("R", False, True),
        ]
    ]
    assert_alike(CHECKLIST, [tests], [0] * len(CHECKLIST))


def test_the_edge_of_the_limit_is_exact() -> None:
    tests = [TestCase("R" * length, check_output=False) for length in (996, 997, 998)]
    assert judge_batch([EAT], [0], EncodedTests([tests])).passed.tolist() == [True, True, False]


def test_nothing_to_judge_is_judged() -> None:
    assert judge_batch([], [], EncodedTests([])).full_pass.tolist() == []
    batch = judge_batch([EAT, "x"], [0, 0], EncodedTests([[]]))
    assert batch.full_pass.tolist() == [False, False]
    assert batch.verdict(0).message == "there are no tests to pass"


def test_where_numba_may_not_write_it_compiles_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba.njit

    def njit(*functions: object, **options: bool) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*functions, **options)

    monkeypatch.setattr(numba, "njit", njit)
    successor = compiled._compiled(lambda number: number + 1)
    assert successor(1) == 2
    assert successor.stats.cache_path is None
