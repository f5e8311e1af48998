"""A toy scope whose verdicts are read off the text, and completions that are written down instead of drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.sampling import Sampled
from rlgrok.types import Problem, Scope, Status, Verdict

PROBLEMS = [
    Problem(f"toy:{letter}", "toy", "toy", letter, "", "two", {}, tests=()) for letter in "RBY"
]


def judge(problem: Problem, text: str) -> Verdict:
    """One of two tests for any text, both when the problem's letter is in it; G breaks the judge."""
    if "G" in text:
        return Verdict(Status.INFRASTRUCTURE_ERROR, message="no judge")
    if problem.name in text:
        return Verdict(Status.PASSED, 2, 2, 1, 1)
    return Verdict(Status.FAILED, 1, 2, 1, 0)


def judge_exhaustively(problem: Problem, text: str) -> Verdict:
    """Right when the letter stands alone."""
    right = text.strip() == problem.name
    return Verdict(Status.PASSED if right else Status.FAILED, int(right), 1, 1, int(right))


@pytest.fixture
def problems() -> list[Problem]:
    return PROBLEMS


@pytest.fixture
def toy_scope() -> Callable[..., Scope]:
    def make(**changes: Any) -> Scope:
        parts = dict(
            name="toy",
            families={},
            build=lambda **_: None,
            render_prompt=lambda problem, style: f"any two {problem.name} :",
            extract=lambda text: text,
            verify=judge,
            verify_exhaustive=judge_exhaustively,
            oracle=lambda problem: problem.name,
        )
        return Scope(**{**parts, **changes})

    return make


@pytest.fixture(scope="session")
def policy() -> Policy:
    return build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=32, seed=5)


@pytest.fixture
def written(policy: Policy) -> Callable[[Sequence[str]], Sampled]:
    """Token ids of texts such as "R B.": each letter is a word, the full stop the end token, without it truncated."""

    def encode(texts: Sequence[str]) -> Sampled:
        words = policy.tokenizer.get_vocab()
        rows = [
            [words[f" {word}"] for word in text.rstrip(".").split()]
            + [policy.tokenizer.eos_token_id] * text.endswith(".")
            for text in texts
        ]
        zeros = [[0.0] * len(row) for row in rows]
        return Sampled(rows, zeros, zeros, [not text.endswith(".") for text in texts])

    return encode
