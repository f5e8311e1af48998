"""Random texts through the parsers: nothing but parse errors, and the compiled one agrees on each."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria.batch import EncodedTests, judge_batch
from rlgrok.delta.manufactoria.dsl import ParseCategory, ParseError, parse
from runtime.seeding import Stream

PIECES = (
    "START start:",
    "START",
    "start",
    "END end",
    "END",
    "end",
    "NONE",
    "PULLER_RB n0:",
    "PULLER_YG n1:",
    "PAINTER_RED n2:",
    "PAINTER_GREEN n3:",
    "PAINTER_BLUE ",
    "PAINTER_YELLOW\t",
    "    [R] n0",
    "    [B] n1",
    "    [Y] n2",
    "    [G] end",
    "    [EMPTY] end",
    "    NEXT n0",
    "    NEXT end",
    "\tNEXT n1",
    "\n",
    "\n",
    "\n",
    "\n    ",
    " ",
    "\t",
    "\r",
    "\x0b",
    "\x1c",
    "\x85",
    "\u2028",
    "\u00a0",
    ":",
    "#",
    "[",
    "]",
    "```",
    "manufactoria",
    "n0",
    "n1",
    "é",
    "\u0660",
    "\x00",
    "\ud800",
    "\U0001f600",
    "a" * 9,
    "_",
    "-",
)


def random_text(stream: Stream) -> str:
    """Words of the language and other characters; a third of the texts begin as a program does."""
    begin = "START start:\n    NEXT n0\nEND end\nPULLER_RB n0:\n" if stream.below(3) == 0 else ""
    return begin + "".join(stream.choice(PIECES) for _ in range(stream.integer(0, 14)))


def parse_many(count: int, name: str) -> None:
    stream = Stream(0, "fuzz", name)
    categories = tuple(ParseCategory)
    nothing = EncodedTests([[]])
    for _ in range(0, count, 1000):
        texts = [random_text(stream) for _ in range(1000)]
        batch = judge_batch(texts, [0] * len(texts), nothing)
        for text, category in zip(texts, batch.categories.tolist(), strict=True):
            try:
                parse(text)
            except ParseError as error:
                assert categories[category - 1] is error.category, text
            else:
                assert category == 0, text


def test_random_texts_raise_nothing_but_parse_errors() -> None:
    parse_many(5000, "few")


@pytest.mark.slow
def test_two_hundred_thousand_random_texts_raise_nothing_but_parse_errors() -> None:
    parse_many(200_000, "many")
