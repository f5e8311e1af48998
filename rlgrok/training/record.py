"""What one step saw, and the numbers of it: written by the rollouts, read by the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rlgrok.rewards import dense_reward, is_success
from rlgrok.sampling import Sampled
from rlgrok.types import Completion, Rollout, Status, Verdict


@dataclass
class StepRecord:
    """What one step saw; the trainer's callback turns it into metrics and stored rollouts."""

    step: int = 0
    rollouts: list[Rollout] = field(default_factory=list)
    group_size: int = 1
    entropy: float | None = None
    """Mean entropy of the sampled tokens' distributions, in nats."""
    decisive_entropy: float | None = None
    """The same over the tokens that decide a program (see `decisive_mean`), in nats."""
    generate_s: float | None = None
    """Seconds of drawing; None when the trainer draws, which cannot be told from its update."""
    replay_s: float = 0.0
    """Seconds of judging, and of looking into the store, that replay took before the reward function was asked."""
    judge_s: float = 0.0
    """Seconds of all judging, `replay_s` included."""
    further_attempts: int = 0
    """Attempts after feedback."""
    first_full_pass: float | None = None
    """Share of first attempts that passed everything; None without feedback, when `full_pass` says it."""
    resampled: int = 0
    """Completions drawn to replace groups without variance."""
    dropped: list[Outcome] = field(default_factory=list)
    """Groups that were drawn and are not trained on."""
    known: dict[tuple[int, ...], Completion] = field(default_factory=dict, repr=False)
    """What of the step in progress has been decoded, by token ids; feedback, replay and reward read the same rows."""


@dataclass(frozen=True)
class Outcome:
    """What a problem's own completions of a step came to."""

    problem_id: str
    full_pass: float
    """Share that passed everything."""
    pass_rate: float
    """Mean share of tests passed."""


def outcome_of(
    problem_id: str, verdicts: Sequence[Verdict], completions: Sequence[Completion]
) -> Outcome:
    """The outcome of a group, its verdicts and completions in one order."""
    pairs = list(zip(verdicts, completions, strict=True))
    return Outcome(
        problem_id,
        mean([float(is_success(v, is_truncated=c.is_truncated)) for v, c in pairs]),
        mean([0.0 if c.is_truncated else v.pass_rate for v, c in pairs]),
    )


def step_metrics(record: StepRecord, *, balanced: bool) -> dict[str, float]:
    """The numbers of a step, from its rollouts; replayed completions count only where it says so.

    `full_pass` and `dense_reward` describe the policy: a replayed completion stands for one that failed, so it counts
    as a failure in the first and is left out of the second. `reward` and the group shares describe what was
    trained on, replayed ones included. Where the verifier failed, a completion counts in none of these.
    """
    rollouts = record.rollouts
    groups = [
        [r for r in rollouts[start : start + record.group_size] if _is_judged(r)]
        for start in range(0, len(rollouts), record.group_size)
    ]
    judged = [rollout for group in groups for rollout in group]
    own = [rollout for rollout in judged if not rollout.is_replayed]
    dense = [
        dense_reward(r.verdict, balanced=balanced, is_truncated=r.completion.is_truncated)
        for r in own
    ]
    equal = sum(len({rollout.reward for rollout in group}) <= 1 for group in groups)
    values = {
        "reward": mean([rollout.reward for rollout in judged]),
        "dense_reward": mean(dense),
        "full_pass": sum(map(_is_own_success, judged)) / max(1, len(judged)),
        "pass_at_group": mean([float(any(map(_is_own_success, group))) for group in groups]),
        "zero_variance_share": equal / len(groups),
        "informative_share": 1.0 - equal / len(groups),
        "replayed": float(sum(rollout.is_replayed for rollout in rollouts)),
        "verifier_failures": float(len(rollouts) - len(judged)),
        "parse_error_share": mean([float(r.verdict.status is Status.PARSE_ERROR) for r in own]),
        "truncated_share": mean([float(r.completion.is_truncated) for r in own]),
        "completion_length": mean([float(len(r.completion.token_ids)) for r in own]),
        "num_completions": float(len(rollouts)),
        "num_tokens": float(sum(len(r.completion.token_ids) for r in rollouts)),
        "judge_s": record.judge_s,
    }
    if record.generate_s is not None:
        values["generate_s"] = record.generate_s
    if record.entropy is not None:
        values["entropy"] = record.entropy
    if record.decisive_entropy is not None:
        values["decisive_entropy"] = record.decisive_entropy
    if record.first_full_pass is not None:
        values["first_full_pass"] = record.first_full_pass
        values["further_attempts"] = float(record.further_attempts)
    if record.resampled:
        values["resampled"] = float(record.resampled)
        values["dropped_groups"] = float(len(record.dropped))
    return values


def outcomes(record: StepRecord) -> list[Outcome]:
    """What every visited problem came to, one entry a group; replayed completions and our own failures left out."""
    found = list(record.dropped)
    for start in range(0, len(record.rollouts), record.group_size):
        group = [
            r
            for r in record.rollouts[start : start + record.group_size]
            if _is_judged(r) and not r.is_replayed
        ]
        if group:
            name = group[0].problem_id
            found.append(
                outcome_of(name, [r.verdict for r in group], [r.completion for r in group])
            )
    return found


def _is_judged(rollout: Rollout) -> bool:
    """Our own verifier said something of the completion."""
    return rollout.verdict.status is not Status.INFRASTRUCTURE_ERROR


def _is_own_success(rollout: Rollout) -> bool:
    return not rollout.is_replayed and is_success(
        rollout.verdict, is_truncated=rollout.completion.is_truncated
    )


TOP_ENTROPY_SHARE = 0.2
"""Where the vocabulary does not tell which tokens decide, the fifth with the highest entropy stands for them.

Source: "Beyond the 80/20 Rule", arXiv 2506.01939, which finds policy gradients carried by that share.
"""


def decisive_mean(sampled: Sampled, decisive_ids: Sequence[int] | None) -> float | None:
    """Mean entropy, in nats, of the tokens that decide a program.

    With `decisive_ids`, the tokens right after one of them (the targets of a program's edges); otherwise the
    `TOP_ENTROPY_SHARE` of all tokens with the highest entropy. None when there is no such token.
    """
    if decisive_ids is None:
        values = sorted((value for row in sampled.entropies for value in row), reverse=True)
        values = values[: max(1, int(TOP_ENTROPY_SHARE * len(values)))]
    else:
        wanted = set(decisive_ids)
        values = [
            entropies[index]
            for tokens, entropies in zip(sampled.token_ids, sampled.entropies, strict=True)
            for index in range(1, len(tokens))
            if tokens[index - 1] in wanted
        ]
    return mean(values) if values else None


def mean(values: Sequence[float]) -> float:
    """Of any numbers; 0 of none."""
    return sum(values) / len(values) if values else 0.0


def two_outcomes(visited: Sequence[Outcome]) -> float:
    """Share of groups in which some completions passed everything and some did not; 0 of none."""
    return mean([float(0.0 < item.full_pass < 1.0) for item in visited])


def expected_informative(success: Sequence[float], group_size: int) -> float:
    """Share of groups with both outcomes that a binary reward would give, 1 - p^G - (1-p)^G on average.

    Args:
        success: probability of success of each group's problem.
        group_size: completions a group, G.
    """
    return mean([1.0 - p**group_size - (1.0 - p) ** group_size for p in success])
