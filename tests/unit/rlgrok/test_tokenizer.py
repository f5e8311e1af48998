"""The word-level tokenizer: every program it is for comes back unchanged, in as many tokens as it has words."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from rlgrok.corpus import loosen
from rlgrok.delta.manufactoria.dsl import format_program, parse
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, Ranges
from rlgrok.delta.manufactoria.prompts import FAMILY_WORDS, compact
from rlgrok.tokenizer import (
    NODE_IDS,
    ROUTE_TOKENS,
    build_byte_tokenizer,
    build_tokenizer,
    decisive_token_ids,
    vocabulary,
)
from runtime.seeding import Stream

TOKENIZER = build_tokenizer()
WITH_SEQUENCE = [name for name, record in FAMILIES.items() if record.enumerates == ("lengths",)]
LENGTHS = {"two": [1, 2, 3, 4, 5], "four": [1, 2]}


def programs(family: str, colors: str) -> list[str]:
    alphabet = ALPHABETS[colors]
    return [
        format_program(FAMILIES[family].solution(parameters, alphabet))
        for parameters in FAMILIES[family].enumerate(alphabet, Ranges(lengths=LENGTHS[colors]))
    ]


@pytest.mark.parametrize("colors", ["two", "four"])
@pytest.mark.parametrize("family", WITH_SEQUENCE)
def test_every_solution_comes_back_unchanged(family: str, colors: str) -> None:
    for text in programs(family, colors):
        ids = TOKENIZER(text)["input_ids"]
        assert TOKENIZER.unk_token_id not in ids
        assert TOKENIZER.decode(ids) == text


def test_every_loose_spelling_comes_back_unchanged() -> None:
    stream = Stream(0, "loose")
    for text in programs("contains_ordered", "two"):
        loose = format_program(loosen(parse(text), stream))
        assert TOKENIZER.decode(TOKENIZER(loose)["input_ids"]) == loose


@pytest.mark.parametrize("word", FAMILY_WORDS)
def test_a_compact_prompt_has_nine_tokens_and_comes_back_unchanged(word: str) -> None:
    for colors, sequence in (("two", "RB"), ("four", "RBYGRB"), ("two", "")):
        prompt = compact(word, colors, sequence)
        ids = TOKENIZER(prompt)["input_ids"]
        assert len(ids) == 9
        assert TOKENIZER.unk_token_id not in ids
        assert TOKENIZER.decode(ids) == prompt


def test_a_node_with_two_digits_is_one_token() -> None:
    assert "n11" in NODE_IDS
    ids = TOKENIZER("\nPULLER_RB n11:\n    [R] n1")["input_ids"]
    assert [TOKENIZER.decode([i]) for i in ids] == ["\nPULLER_RB ", "n11", ":\n    [R] ", "n1"]


def test_foreign_text_is_unknown() -> None:
    assert set(TOKENIZER("Hello, you!")["input_ids"]) == {TOKENIZER.unk_token_id}


def test_the_vocabulary_has_no_word_twice_and_starts_with_the_special_ones() -> None:
    words = vocabulary()
    assert len(set(words)) == len(words) == len(TOKENIZER)
    assert words[:3] == [TOKENIZER.pad_token, TOKENIZER.eos_token, TOKENIZER.unk_token]
    assert [TOKENIZER.convert_tokens_to_ids(word) for word in words] == list(range(len(words)))


def test_saved_and_loaded_by_the_library_it_is_the_same(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = programs("contains_substring", "two")[-1]
    assert loaded(text)["input_ids"] == TOKENIZER(text)["input_ids"]
    assert loaded.decode(loaded(text)["input_ids"]) == text
    special = ("pad_token_id", "eos_token_id", "unk_token_id", "padding_side")
    assert [getattr(loaded, name) for name in special] == [0, 1, 2, "left"]


def test_a_token_after_a_decisive_one_is_the_target_of_an_edge() -> None:
    decisive = decisive_token_ids(TOKENIZER)
    assert decisive is not None and len(decisive) == len(ROUTE_TOKENS)
    for text in programs("contains_ordered", "two"):
        ids = TOKENIZER(text)["input_ids"]
        after = [TOKENIZER.decode([ids[i]]) for i in range(1, len(ids)) if ids[i - 1] in decisive]
        edges = [edge for node in parse(text).nodes for edge in node.edges]
        assert after == [edge.target for edge in edges]


def test_of_another_vocabulary_nothing_is_known_to_be_decisive() -> None:
    class Other:
        def get_vocab(self) -> dict[str, int]:
            return {"a": 0}

    assert decisive_token_ids(Other()) is None  # type: ignore[arg-type]


def test_bytes_are_tokens_of_any_text() -> None:
    tokenizer = build_byte_tokenizer()
    text = "def f(t):\n    return [(1.5, -2)]  # é 雪 \x00"
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert len(ids) == len(text.encode()) and tokenizer.unk_token_id is None
    assert tokenizer.decode(ids) == text
    assert len(tokenizer) == 256 + 2
