"""The records that every part of the RL half speaks: problems, verdicts, rollouts.

Frozen plain data, no behaviour beyond derived numbers, no imports from the rest of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

UNTRAINED = "untrained"
"""As the source of a policy, in the place of a folder or hub id: a tiny one that has learned nothing."""


class GrammarRules(StrEnum):
    """What a mask on the tiny policy's tokens lets it write."""

    NONE = "none"
    """Anything: no mask."""
    ACCEPTOR = "acceptor"
    """Canonical programs of nodes that read red and blue, without an `[EMPTY]` route."""
    PROGRAM = "program"
    """Canonical programs of any nodes."""


class PromptStyle(StrEnum):
    """How a problem is put into words for the policy."""

    FULL = "full"
    """The complete task description, for a general language model."""
    COMPACT = "compact"
    """Family, colours and parameters only, a fixed number of words, for the tiny policy."""


class Judge(StrEnum):
    """Which verdict pays in training and counts in an evaluation."""

    TESTS = "tests"
    """The problem's own tests."""
    EXHAUSTIVE = "exhaustive"
    """Every short tape and some longer ones: a program that passes all tests may still be wrong."""


class TestSource(StrEnum):
    """Which tests a problem carries."""

    __test__ = False  # not a pytest class

    DELTA = "delta"
    """The benchmark's own generator."""
    LADDER = "ladder"
    """Balanced tests in which every wrong edge of the oracle fails some test."""


class Status(StrEnum):
    """What became of one program. Only `PASSED` is a success."""

    PASSED = "passed"
    FAILED = "failed"
    NO_PROGRAM = "no_program"
    PARSE_ERROR = "parse_error"
    RUNTIME_ERROR = "runtime_error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    FORBIDDEN = "forbidden"
    INFRASTRUCTURE_ERROR = "infrastructure_error"


@dataclass(frozen=True, slots=True)
class TestCase:
    """One input with what a correct program does on it."""

    __test__ = False  # not a pytest class

    input: str
    expected_output: str = ""
    expected_accepted: bool = True
    check_output: bool = True
    description: str = ""


@dataclass(frozen=True)
class Problem:
    """One instance: prompt material, hidden tests, identity.

    `id` is stable and readable, `<family>:<colours>:<parameter key>`; two problems with the same id are the
    same problem. `parameters` is JSON-able and enough to rebuild the label function.
    """

    id: str
    scope: str
    family: str
    name: str
    criteria: str
    colors: str
    """`two` or `four`."""
    parameters: Mapping[str, Any]
    tests: tuple[TestCase, ...]
    difficulty: str = ""
    available_nodes: tuple[str, ...] = ()

    @property
    def has_oracle(self) -> bool:
        """Whether the label function can be rebuilt: for the exhaustive verdict and for a solution."""
        return bool(self.parameters)


@dataclass(frozen=True)
class RecordedProblem(Problem):
    """A problem that came in as a record: its prompt is given, and is used as it stands.

    Where the record names no parameters there is no label function: `parameters` is empty, and the problem can be
    judged by its tests alone.
    """

    prompt: str = ""


@dataclass(frozen=True)
class DataSet:
    """A named train/held-out pair. The two never share a problem id."""

    name: str
    train: tuple[Problem, ...]
    heldout: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier says of one program on one problem.

    `num_accepting` counts the tests whose expected outcome is acceptance; a test is accepting or rejecting by its
    expectation, never by what the program did. A program that does not parse passes none.
    """

    status: Status
    num_passed: int = 0
    num_tests: int = 0
    num_accepting: int = 0
    num_accepting_passed: int = 0
    message: str = ""
    """Why, in words a user or a feedback turn can show; empty when passed."""

    @property
    def full_pass(self) -> bool:
        """True when every test passed and there was at least one."""
        return self.status is Status.PASSED

    @property
    def pass_rate(self) -> float:
        """Share of tests passed, in [0, 1]; 0 without tests."""
        return self.num_passed / self.num_tests if self.num_tests else 0.0

    @property
    def balanced_pass_rate(self) -> float:
        """Mean of the pass rates over accepting and over rejecting tests; the plain rate if one kind is absent."""
        num_rejecting = self.num_tests - self.num_accepting
        if not self.num_accepting or not num_rejecting:
            return self.pass_rate
        rejecting_passed = self.num_passed - self.num_accepting_passed
        return 0.5 * (
            self.num_accepting_passed / self.num_accepting + rejecting_passed / num_rejecting
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled output of a policy.

    `logprobs` are natural logarithms under the behaviour policy at its sampling temperature, one per token.
    `token_ids` ends with the end-of-sequence token exactly when `is_truncated` is False.
    """

    token_ids: tuple[int, ...]
    text: str
    logprobs: tuple[float, ...] = ()
    is_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Rollout:
    """A completion with its verdict and reward, as it is stored and reported."""

    step: int
    problem_id: str
    completion: Completion
    verdict: Verdict
    reward: float
    policy_step: int = 0
    """Optimiser step of the policy that sampled the tokens; below `step` for a replayed rollout."""
    is_replayed: bool = False


@dataclass(frozen=True)
class Library:
    """The data sets of a scope by name, and its problems as records that other tools read.

    `from_record` raises `RecordError` with the field; `fingerprints` says which problems ask for the same function.
    """

    build: Callable[..., DataSet]
    """(name, compat, tests) -> the data set, or the level of a family, all of it for training."""
    names: Callable[[], Sequence[str]]
    """Of the data sets."""
    levels: Callable[[str], Sequence[str]]
    """Family -> names of its levels."""
    to_record: Callable[..., dict[str, Any]]
    """(problem, parameters) -> JSON-able data."""
    from_record: Callable[[object], RecordedProblem]
    fingerprints: Callable[[Sequence[Problem]], list[bytes]]
    """Equal marks for problems that ask for the same function; all of them with an oracle."""
    size: Callable[[Problem], int]
    """Length of the longest minimal input that decides a problem with an oracle; strata of a split."""


@dataclass(frozen=True)
class Scope:
    """What one part of the benchmark offers to training and evaluation.

    `verify` judges a program against the problem's own tests; `verify_exhaustive` against its label function on
    every short input. Both take the program text that `extract` found and never raise on a bad program.
    """

    name: str
    families: Mapping[str, Any]
    build: Callable[..., DataSet]
    render_prompt: Callable[[Problem, PromptStyle], str]
    extract: Callable[[str], str]
    verify: Callable[[Problem, str], Verdict]
    verify_exhaustive: Callable[[Problem, str], Verdict]
    oracle: Callable[[Problem], str]
    library: Library | None = None
    feedback: Callable[..., str] | None = None
    """(problem, program, style, fresh, max_cases) -> what a failed program is told before it tries again."""
