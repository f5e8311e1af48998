"""What a data set promises, checked: nothing twice, nothing of the training part in the test part, everything solvable.

A problem is solved when its constructed program passes its tests and the exhaustive verdict, as a completion would have
to. Behaviours are compared anew over both parts, whatever the split was made from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from rlgrok.delta.manufactoria.behaviours import fingerprints, setting_of
from rlgrok.delta.manufactoria.exhaustive import verify_exhaustive
from rlgrok.delta.manufactoria.judge import verify
from rlgrok.delta.manufactoria.named import build_named, find_set
from rlgrok.delta.manufactoria.solutions import oracle
from rlgrok.types import Problem


@dataclass(frozen=True)
class SetCheck:
    """One data set, as it was found to be."""

    name: str
    num_train: int
    num_test: int
    published: tuple[int, int] | None
    """What the hub holds; None: not published."""
    num_duplicates: int
    """Problems whose id or whose wording another one has too."""
    num_overlapping: int
    """Test problems that ask for the function of a training problem."""
    num_unsolved: int
    first_unsolved: str | None
    """Id of one, and what its program gets wrong."""
    seconds: float

    @property
    def num_problems(self) -> int:
        """In both parts."""
        return self.num_train + self.num_test

    @property
    def solved_share(self) -> float:
        """In [0, 1]; 1 without problems."""
        return 1.0 - self.num_unsolved / self.num_problems if self.num_problems else 1.0

    @property
    def passed(self) -> bool:
        """Whether the data set keeps all its promises."""
        wrong = self.num_duplicates + self.num_overlapping + self.num_unsolved
        return bool(self.num_problems) and not wrong


def check_set(name: str, *, compat: bool = False) -> SetCheck:
    """Build a data set and check it.

    Args:
        name: as for `named.find_set`.
        compat: the reference's way of splitting, which is not expected to pass.

    Raises:
        ConfigError: an unknown name.
    """
    began = perf_counter()
    data = build_named(name, compat=compat)
    unsolved = [
        f"{problem.id}: {reason}"
        for problem in (*data.train, *data.heldout)
        if (reason := why_unsolved(problem)) is not None
    ]
    return SetCheck(
        name=name,
        num_train=len(data.train),
        num_test=len(data.heldout),
        published=find_set(name).published,
        num_duplicates=num_duplicates((*data.train, *data.heldout)),
        num_overlapping=num_overlapping(data.train, data.heldout),
        num_unsolved=len(unsolved),
        first_unsolved=unsolved[0] if unsolved else None,
        seconds=perf_counter() - began,
    )


def why_unsolved(problem: Problem) -> str | None:
    """What the constructed program of a problem gets wrong; None when it is right."""
    program = oracle(problem)
    for verdict in (verify(problem, program), verify_exhaustive(problem, program)):
        if not verdict.full_pass:
            return verdict.message
    return None


def num_duplicates(problems: Sequence[Problem]) -> int:
    """How many problems have the id of an earlier one, or its wording and colours."""
    ids = Counter(problem.id for problem in problems)
    words = Counter((problem.colors, problem.criteria) for problem in problems)
    return max(sum(ids.values()) - len(ids), sum(words.values()) - len(words))


def num_overlapping(train: Sequence[Problem], test: Sequence[Problem]) -> int:
    """How many test problems ask for a function that a training problem asks for."""
    marks = fingerprints([setting_of(problem) for problem in (*train, *test)])
    known = set(marks[: len(train)])
    return sum(mark in known for mark in marks[len(train) :])
