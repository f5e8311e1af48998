"""The tiny policy's tokenizer: one token for every word of a compact prompt and of a Manufactoria program.

A token's text carries its own blanks and line breaks, so decoding is concatenation and a decoded program is
exactly the text that the parser reads. Saved in the ordinary `tokenizer.json` format; `AutoTokenizer` loads it.
Text outside the vocabulary becomes `<unk>`: this tokenizer is for compact prompts only.
"""

from __future__ import annotations

from transformers import PreTrainedTokenizerFast

from rlgrok.delta.manufactoria.feedback import FEEDBACK_WORDS
from rlgrok.delta.manufactoria.prompts import FAMILY_WORDS

PAD, EOS, UNK = "<pad>", "<eos>", "<unk>"
PROMPT_WORDS = (" two", " four", " R", " B", " Y", " G", " _", " :")
MAX_NODES = 12
NODE_IDS = (*(f"n{i}" for i in range(MAX_NODES)), "end", "NONE")
HEADS = (
    "START start:\n    NEXT ",
    "\nPULLER_RB ",
    "\nPULLER_YG ",
    "\nPAINTER_RED ",
    "\nPAINTER_BLUE ",
    "\nPAINTER_YELLOW ",
    "\nPAINTER_GREEN ",
    "\nEND ",
)
CONDITIONS = ("[R] ", "[B] ", "[Y] ", "[G] ", "[EMPTY] ", "NEXT ")
FIRST_ROUTES = tuple(f":\n    {word}" for word in CONDITIONS)
NEXT_ROUTES = tuple(f"\n    {word}" for word in CONDITIONS)
ROUTE_TOKENS = (HEADS[0], *FIRST_ROUTES, *NEXT_ROUTES)
"""Tokens that are followed by the target of an edge: the decisive choices of a program."""


def vocabulary(*, feedback: bool = False) -> list[str]:
    """Every token in id order, the three special ones first, those of a feedback text last."""
    return [
        PAD,
        EOS,
        UNK,
        *FAMILY_WORDS,
        *PROMPT_WORDS,
        *HEADS,
        *FIRST_ROUTES,
        *NEXT_ROUTES,
        *NODE_IDS,
        *(FEEDBACK_WORDS if feedback else ()),
    ]


def build_tokenizer(*, feedback: bool = False) -> PreTrainedTokenizerFast:
    """A word-level fast tokenizer over `vocabulary()`, padding on the left, no token added to a text."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    words = vocabulary(feedback=feedback)
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token=UNK)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_pattern(words[3:])), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build_byte_tokenizer() -> PreTrainedTokenizerFast:
    """A fast tokenizer with one token a byte: any text, three to four times as long as for a language model."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [PAD, EOS, *alphabet]
    tokenizer = Tokenizer(models.BPE(vocab={word: index for index, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _pattern(words: list[str]) -> str:
    """Alternation of all words, longest first, so that `n10` is not read as `n1` and `0`."""
    specials = "\\[](){}.*+?^$|"
    ordered = sorted(words, key=lambda word: (-len(word), word))
    return "|".join("".join("\\" + c if c in specials else c for c in word) for word in ordered)


def decisive_token_ids(tokenizer: PreTrainedTokenizerFast) -> list[int] | None:
    """Ids of the tokens after which an edge target is chosen; None for any other tokenizer than ours."""
    known = tokenizer.get_vocab()
    if not all(word in known for word in ROUTE_TOKENS):
        return None
    return [known[word] for word in ROUTE_TOKENS]
