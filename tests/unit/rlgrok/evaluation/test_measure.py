"""Measuring a policy: a toy scope whose verdicts can be recounted, draws that are kept, our own failures."""

from __future__ import annotations

import pytest

from rlgrok.evaluation.gzip_lines import encode_lines, read_lines
from rlgrok.evaluation.measure import DrawSettings, Portion, measure, portions
from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.types import Problem, Scope, Status, Verdict
from runtime.errors import InfrastructureError
from runtime.progress import SilentView

PROBLEMS = [
    Problem(f"toy:{letter}", "toy", "toy", letter, "", "two", {"letter": letter}, tests=())
    for letter in ("R", "B")
]


def toy_verify(problem: Problem, text: str) -> Verdict:
    """Passes when the problem's letter is in the text."""
    passed = problem.name in text
    return Verdict(Status.PASSED if passed else Status.FAILED, int(passed), 1, 1, int(passed))


def toy_exhaustive(problem: Problem, text: str) -> Verdict:
    """Right when the letter is there and no END is."""
    passed = problem.name in text and "END" not in text
    return Verdict(Status.PASSED if passed else Status.FAILED, int(passed), 1, 1, int(passed))


def toy_scope(**changes) -> Scope:
    parts = dict(
        name="toy",
        families={},
        build=lambda **_: None,
        render_prompt=lambda problem, style: f"any two {problem.name} :",
        extract=lambda text: text,
        verify=toy_verify,
        verify_exhaustive=toy_exhaustive,
        oracle=lambda problem: problem.name,
    )
    return Scope(**{**parts, **changes})


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=32, seed=5)


def settings(**changes) -> DrawSettings:
    parts = dict(num_draws=24, temperature=1.0, max_new_tokens=6, batch_size=16, seed=3)
    return DrawSettings(**{**parts, **changes})


def run_measure(
    policy: Policy, folder=None, *, scope: Scope | None = None, exhaustive: bool = True, **changes
):
    return measure(
        policy,
        PROBLEMS,
        scope=scope or toy_scope(),
        label="policy",
        settings=settings(**changes),
        exhaustive=exhaustive,
        view=SilentView(),
        draws_folder=folder,
    )


def test_counts_are_those_of_the_texts(policy: Policy) -> None:
    measured = run_measure(policy)
    assert measured.num_new_draws == 48
    for problem, counts in zip(PROBLEMS, measured.evaluation.problems, strict=True):
        drawn = [draw for draw in measured.drawn if draw.problem_id == problem.id]
        whole = [draw for draw in drawn if problem.name in draw.text and not draw.is_truncated]
        assert len(drawn) == counts.num_draws == 24
        assert counts.num_passes == len(whole)
        assert counts.num_exhaustive == sum("END" not in draw.text for draw in whole)
    assert measured.evaluation.policy == policy.identity()
    assert len(measured.greedy) == 2


def test_a_passing_but_truncated_completion_is_no_pass(policy: Policy) -> None:
    scope = toy_scope(verify=lambda problem, text: Verdict(Status.PASSED, 1, 1, 1, 1))
    measured = run_measure(policy, scope=scope)
    truncated = [draw for draw in measured.drawn if draw.is_truncated]
    assert truncated
    assert not any(draw.full_pass for draw in truncated)
    assert all(draw.full_pass for draw in measured.drawn if not draw.is_truncated)


def test_without_the_exhaustive_verdict_none_is_taken(policy: Policy) -> None:
    def forbidden(problem: Problem, text: str) -> Verdict:
        raise AssertionError("not asked for")

    measured = run_measure(policy, scope=toy_scope(verify_exhaustive=forbidden), exhaustive=False)
    assert {draw.exhaustive for draw in measured.drawn} == {None}


def test_a_second_call_uses_the_kept_draws_and_a_larger_one_adds(policy: Policy, tmp_path) -> None:
    first = run_measure(policy, tmp_path)
    again = run_measure(policy, tmp_path)
    assert (first.num_new_draws, again.num_new_draws) == (48, 0)
    assert again.drawn == first.drawn
    more = run_measure(policy, tmp_path, num_draws=40)
    assert more.num_new_draws == 32
    for problem in PROBLEMS:
        texts = [draw.text for draw in more.drawn if draw.problem_id == problem.id]
        assert texts[:24] == [draw.text for draw in first.drawn if draw.problem_id == problem.id]
        assert texts[24:] != texts[:16]  # the added draws are of another stream
    fewer = run_measure(policy, tmp_path, num_draws=8)
    assert fewer.evaluation.problems[0].num_draws == 40
    exactly = run_measure(policy, tmp_path, num_draws=8, all_kept=False)
    assert exactly.evaluation.problems[0].num_draws == 8
    assert exactly.drawn[:8] == fewer.drawn[:8]
    assert len(list(tmp_path.glob("*.jsonl.gz"))) == 1


def test_kept_or_not_the_draws_are_the_same(policy: Policy, tmp_path) -> None:
    assert run_measure(policy, tmp_path).drawn == run_measure(policy).drawn


def test_an_interrupted_call_repeated_ends_where_an_uninterrupted_one_does(
    policy: Policy, tmp_path
) -> None:
    whole = run_measure(policy, tmp_path / "whole").drawn
    run_measure(policy, tmp_path / "parts")
    path = next((tmp_path / "parts").glob("*.jsonl.gz"))
    draws = read_lines(path).records
    # as a kill after the first portion leaves it: header, then 16 draws of the first problem
    path.write_bytes(encode_lines(draws[:1]) + encode_lines(draws[1:17]))
    resumed = run_measure(policy, tmp_path / "parts")
    assert resumed.num_new_draws == 32
    assert resumed.drawn == whole


def test_other_settings_have_other_draws(policy: Policy, tmp_path) -> None:
    run_measure(policy, tmp_path)
    run_measure(policy, tmp_path, seed=4)
    run_measure(policy, tmp_path, temperature=0.5)
    assert len(list(tmp_path.glob("*.jsonl.gz"))) == 3


def test_our_own_failure_is_never_a_wrong_program(policy: Policy) -> None:
    broken = toy_scope(
        verify=lambda problem, text: Verdict(Status.INFRASTRUCTURE_ERROR, message="no judge")
    )
    with pytest.raises(InfrastructureError, match=r"the verifier failed.*no judge.*toy:R, draw 0"):
        run_measure(policy, scope=broken)


def test_portions_cover_what_is_missing_once() -> None:
    plan = portions({"a": 0, "b": 0, "c": 10, "d": 40}, 40, 16)
    drawn = {"a": 0, "b": 0, "c": 10, "d": 40}
    for part in plan:
        assert part.count * len(part.problem_ids) <= 16
        for name in part.problem_ids:
            assert part.first == drawn[name]
            drawn[name] += part.count
    assert set(drawn.values()) == {40}


def test_small_draws_share_a_portion() -> None:
    assert portions({"a": 0, "b": 0, "c": 0}, 5, 10) == [
        Portion(("a", "b"), 0, 5),
        Portion(("c",), 0, 5),
    ]
    assert portions({"a": 5}, 5, 10) == []
