"""The memo in front of a verifier: each pair judged once, bounded, and never a home for our own failures."""

from __future__ import annotations

import pytest

from rlgrok.training.verification import MIN_VERDICTS_FOR_SHARE, Verifier
from rlgrok.types import Completion, Judge, Problem, Scope, Status, Verdict
from runtime.errors import InfrastructureError

PROBLEMS = {
    name: Problem(name, "toy", "toy", name, "", "two", {}, tests=()) for name in ("one", "two")
}
BROKEN = Verdict(Status.INFRASTRUCTURE_ERROR, message="broke")


class Counting:
    """A scope that says what it was asked."""

    def __init__(self, broken: frozenset[str] = frozenset()) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.broken = broken
        self.scope = Scope(
            name="toy",
            families={},
            build=lambda **_: None,  # type: ignore[arg-type, return-value]
            render_prompt=lambda problem, style: "",
            extract=lambda text: text.strip(),
            verify=lambda problem, text: self._judge("tests", problem, text),
            verify_exhaustive=lambda problem, text: self._judge("exhaustive", problem, text),
            oracle=lambda problem: "",
        )

    def _judge(self, kind: str, problem: Problem, text: str) -> Verdict:
        self.asked.append((kind, problem.id, text))
        return BROKEN if text in self.broken else Verdict(Status.FAILED, len(text), 10)


def text(value: str) -> Completion:
    return Completion((), value)


def test_each_pair_is_judged_once_and_verdicts_are_not_mixed_up() -> None:
    counting = Counting()
    verifier = Verifier(counting.scope, PROBLEMS)
    for _ in range(3):
        assert verifier.verify("one", text(" a ")).num_passed == 1
        assert verifier.verify("two", text("ab")).num_passed == 2
        verifier.verify("two", text(" a "))
        verifier.verify_exhaustive("one", text(" a "))
    assert sorted(counting.asked) == [
        ("exhaustive", "one", "a"),
        ("tests", "one", "a"),
        ("tests", "two", "a"),
        ("tests", "two", "ab"),
    ]
    assert (verifier.num_asked, verifier.num_judged) == (12, 4)


@pytest.mark.parametrize(
    ("judge", "kind"), [(Judge.TESTS, "tests"), (Judge.EXHAUSTIVE, "exhaustive")]
)
def test_the_chosen_verdict_decides_and_the_others_stay(judge: Judge, kind: str) -> None:
    counting = Counting()
    verifier = Verifier(counting.scope, PROBLEMS, judge=judge)
    verifier.decide("one", text("a"))
    assert counting.asked == [(kind, "one", "a")]
    verifier.verify("one", text("a"))
    verifier.verify_exhaustive("one", text("a"))
    assert sorted(counting.asked) == [("exhaustive", "one", "a"), ("tests", "one", "a")]


def test_the_least_recently_used_verdict_leaves_first() -> None:
    counting = Counting()
    verifier = Verifier(counting.scope, PROBLEMS, capacity=2)
    for name in ("a", "b", "a", "c", "a", "b"):  # c drives b out, not a
        verifier.verify("one", text(name))
    assert [asked[2] for asked in counting.asked] == ["a", "b", "c", "b"]


def test_our_own_failure_is_asked_about_again() -> None:
    counting = Counting(broken=frozenset({"x"}))
    verifier = Verifier(counting.scope, PROBLEMS)
    assert verifier.verify("one", text("x")) is BROKEN
    counting.broken = frozenset()
    assert verifier.verify("one", text("x")).status is Status.FAILED
    assert verifier.num_failures == 1


def test_a_few_failures_are_borne_more_than_one_in_a_hundred_are_not() -> None:
    verifier = Verifier(Counting(broken=frozenset({"x"})).scope, PROBLEMS)
    for number in range(MIN_VERDICTS_FOR_SHARE):
        if number % 100 == 0:
            verifier.verify("one", text("x"))  # 10 of 1010
        verifier.verify("one", text(str(number)))
    with pytest.raises(
        InfrastructureError,
        match=r"the verifier fails too often; got \d+ of \d+ verdicts; the last: broke; expected at most 1%",
    ):
        for _ in range(10):
            verifier.verify("one", text("x"))


def test_an_exception_of_the_judge_is_nobodys_verdict() -> None:
    scope = Counting().scope
    verifier = Verifier(scope, PROBLEMS)
    with pytest.raises(KeyError, match="three"):
        verifier.verify("three", text("a"))
