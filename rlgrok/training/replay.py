"""Experience replay: a bounded store of successful completions, one short list a problem.

A group of rollouts without a success gets one (or a few) of the problem's stored successes in place of its last
completions. A replayed trace counts as on-policy: its importance ratio is 1 at the update, because the trainer
takes the old log-probabilities from its own forward pass (docs/methods/grpo.md, "Replay"). Held-out problems never
enter: only training rollouts are ever offered to the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.seeding import Stream


@dataclass(frozen=True)
class StoredSuccess:
    """A completion that passed every test, and the optimiser step whose policy drew it."""

    token_ids: tuple[int, ...]
    step: int


@dataclass
class ReplayStore:
    """Successes by problem id; at most `capacity` a problem, no duplicates, the oldest leaves first.

    Args:
        capacity: successes kept a problem.
        max_age: steps after which a success is stale and leaves; None: never. A success that is drawn anew after it
            has left, or that is offered again while it is stored, counts from that step on.
        rate: chance that a failed group with stored successes gets any.
    """

    capacity: int
    max_age: int | None = None
    rate: float = 1.0
    stored: dict[str, list[StoredSuccess]] = field(default_factory=dict)
    num_offered: int = 0
    num_duplicates: int = 0
    num_expired: int = 0

    def __len__(self) -> int:
        """Number of stored completions over all problems."""
        return sum(len(entries) for entries in self.stored.values())

    def add(self, problem_id: str, token_ids: Sequence[int], step: int) -> bool:
        """Offer a success; returns False when the same tokens are already stored for the problem.

        With a `max_age` a duplicate makes the stored one young again: the policy of this step draws it.
        """
        entry = StoredSuccess(tuple(token_ids), step)
        entries = self.stored.setdefault(problem_id, [])
        self.num_offered += 1
        place = next(
            (i for i, known in enumerate(entries) if known.token_ids == entry.token_ids), None
        )
        if place is not None:
            self.num_duplicates += 1
            if self.max_age is not None:
                del entries[place]
                entries.append(entry)
            return False
        entries.append(entry)
        del entries[: -self.capacity]
        return True

    def expire(self, step: int) -> None:
        """Let go of what is stale at a step."""
        if self.max_age is None:
            return
        for problem_id, entries in list(self.stored.items()):
            young = [entry for entry in entries if step - entry.step <= self.max_age]
            self.num_expired += len(entries) - len(young)
            if young:
                self.stored[problem_id] = young
            else:
                del self.stored[problem_id]

    def draw(self, problem_id: str, count: int, stream: Stream) -> list[StoredSuccess]:
        """Up to `count` different successes of the problem, drawn without replacement; [] when none is stored.

        With a `rate` below 1 also [] at random.
        """
        entries = self.stored.get(problem_id, [])
        drawn = stream.pick(entries, min(count, len(entries)))
        if self.rate < 1.0 and not stream.bernoulli(self.rate):
            return []
        return drawn

    def metrics(self, step: int) -> dict[str, float]:
        """Size and age of the store, and what became of what was offered since the start of the run."""
        ages = [step - entry.step for entries in self.stored.values() for entry in entries]
        return {
            "replay_stored": float(len(ages)),
            "replay_problems": float(sum(map(bool, self.stored.values()))),
            "replay_age": sum(ages) / len(ages) if ages else 0.0,
            "replay_duplicate_share": self.num_duplicates / max(1, self.num_offered),
            "replay_expired": float(self.num_expired),
        }

    def state_dict(self) -> dict[str, Any]:
        """JSON-able state for a checkpoint."""
        return {
            "stored": {
                problem_id: [[list(entry.token_ids), entry.step] for entry in entries]
                for problem_id, entries in self.stored.items()
            },
            "num_offered": self.num_offered,
            "num_duplicates": self.num_duplicates,
            "num_expired": self.num_expired,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` wrote; the capacity and the rules stay this store's own."""
        self.stored = {
            problem_id: [StoredSuccess(tuple(tokens), step) for tokens, step in entries]
            for problem_id, entries in state["stored"].items()
        }
        self.num_offered = state["num_offered"]
        self.num_duplicates = state["num_duplicates"]
        self.num_expired = state["num_expired"]
