"""The grammar mask: what it lets through, what it keeps out, and that sampling and loss see the same policy."""

from __future__ import annotations

import pytest
import torch

from rlgrok.delta.manufactoria.canonical import is_canonical
from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.delta.manufactoria.solutions import oracle
from rlgrok.grammar import MAX_NODES, Grammar
from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.sampling import sample_tokens
from rlgrok.tokenizer import build_tokenizer
from rlgrok.types import GrammarRules
from runtime.errors import ConfigError

PROMPT = "contains_ordered two R B _ _ _ _ :"
ACCEPTORS = ("starts_with", "contains_ordered", "contains_substring")
WITH_EMPTY_OR_PAINT = ("exact_sequence", "append_sequence")


def tiny() -> Policy:
    return build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=128, seed=0)


def is_allowed(grammar: Grammar, text: str) -> bool:
    """Whether every token of a completion, its end included, may stand where it stands."""
    tokenizer = build_tokenizer()
    prompt = tokenizer(PROMPT)["input_ids"]
    row = torch.tensor([[*prompt, *tokenizer(text)["input_ids"], tokenizer.eos_token_id]])
    states = grammar.states(row)[0, len(prompt) - 1 : -1]
    logits = grammar.mask(torch.zeros(len(states), len(tokenizer)), states)
    chosen = row[0, len(prompt) :]
    return bool((logits.gather(1, chosen[:, None]) == 0).all())


@pytest.mark.parametrize("family", [*ACCEPTORS, *WITH_EMPTY_OR_PAINT])
def test_right_programs_can_be_written(family: str) -> None:
    grammar = Grammar(build_tokenizer(), GrammarRules.PROGRAM)
    acceptor = Grammar(build_tokenizer(), GrammarRules.ACCEPTOR)
    problems = build([family], "two", [1, 2, 3, 4, 5]).train
    assert all(is_allowed(grammar, oracle(problem)) for problem in problems)
    assert all(
        is_allowed(acceptor, oracle(problem)) is (family in ACCEPTORS) for problem in problems
    )


@pytest.mark.parametrize(
    "routes",
    [
        "n1\nPULLER_RB n1:\n    [R] end\n    [B] NONE",  # not the next free name
        "n0\nPULLER_RB n0:\n    [R] end",  # a route is missing
        "n0\nPULLER_RB n0:\n    [B] end\n    [R] end",  # out of order
        "n0\nPULLER_RB n0:\n    [R] n1\n    [B] n0",  # n1 is missing
        "end\nPULLER_RB n0:\n    [R] end\n    [B] n0",  # nothing leads to n0
        "n0\nPULLER_RB n0:\n    [R] end\n    [B] n0\n    [EMPTY] NONE",  # says nothing
    ],
)
def test_other_spellings_cannot(routes: str) -> None:
    grammar = Grammar(build_tokenizer(), GrammarRules.PROGRAM)
    assert not is_allowed(grammar, f"START start:\n    NEXT {routes}\nEND end")


@pytest.mark.parametrize("rules", [GrammarRules.ACCEPTOR, GrammarRules.PROGRAM])
def test_whatever_an_untrained_policy_writes_is_canonical(rules: GrammarRules) -> None:
    policy = tiny().restrict(rules)
    drawn = sample_tokens(
        policy.model,
        [policy.encode_prompt(PROMPT)],
        num_per_prompt=300,
        max_new_tokens=110,
        end_ids=policy.end_token_ids(),
        pad_id=policy.tokenizer.pad_token_id,
        seed=0,
        grammar=policy.grammar,
    )
    texts = policy.tokenizer.batch_decode(drawn.token_ids, skip_special_tokens=True)
    whole = [text for text, cut in zip(texts, drawn.truncated, strict=True) if not cut]
    assert len(whole) > 250 and len(set(whole)) > 30
    for text in whole:
        program = parse(text)
        assert is_canonical(program)
        assert len(program.nodes) <= MAX_NODES + 2


def test_the_loss_sees_the_policy_that_was_sampled() -> None:
    """Log-probabilities of a whole row, left padding included, are those that the sampler reported."""
    policy = tiny().restrict(GrammarRules.ACCEPTOR)
    prompt = policy.encode_prompt(PROMPT)
    drawn = sample_tokens(
        policy.model,
        [prompt],
        num_per_prompt=8,
        max_new_tokens=110,
        end_ids=policy.end_token_ids(),
        pad_id=policy.tokenizer.pad_token_id,
        seed=1,
        grammar=policy.grammar,
    )
    pad = policy.tokenizer.pad_token_id
    for tokens, reported, entropies in zip(
        drawn.token_ids, drawn.logprobs, drawn.entropies, strict=True
    ):
        row = torch.tensor([[pad, pad, *prompt, *tokens]])
        mask = torch.tensor([[0, 0, *[1] * (row.shape[1] - 2)]])
        with torch.no_grad():
            logits = policy.model(
                input_ids=row,
                attention_mask=mask,
                logits_to_keep=len(tokens) + 1,
                use_cache=False,
            ).logits[0, :-1]
        logprobs = torch.log_softmax(logits, -1)
        chosen = logprobs.gather(1, torch.tensor(tokens)[:, None])[:, 0]
        assert torch.allclose(chosen, torch.tensor(reported), atol=1e-4)
        entropy = -(logprobs.exp() * logprobs).sum(-1)
        assert torch.allclose(entropy, torch.tensor(entropies), atol=1e-4)


def test_a_restricted_policy_is_another_policy() -> None:
    free, masked = tiny(), tiny().restrict(GrammarRules.ACCEPTOR)
    assert free.identity() == tiny().restrict(GrammarRules.NONE).identity()
    assert free.identity() != masked.identity()


def test_another_vocabulary_has_no_grammar() -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    other = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "<eos>": 1})), eos_token="<eos>"
    )
    with pytest.raises(ConfigError, match=r"needs the tiny policy's vocabulary.*policy\.grammar"):
        Grammar(other, GrammarRules.ACCEPTOR)
