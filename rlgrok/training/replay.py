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
    """Successes by problem id; at most `capacity` a problem, no duplicates, the oldest leaves first."""

    capacity: int
    stored: dict[str, list[StoredSuccess]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of stored completions over all problems."""
        return sum(len(entries) for entries in self.stored.values())

    def add(self, problem_id: str, token_ids: Sequence[int], step: int) -> bool:
        """Offer a success; returns False when the same tokens are already stored for the problem."""
        entry = StoredSuccess(tuple(token_ids), step)
        entries = self.stored.setdefault(problem_id, [])
        if any(known.token_ids == entry.token_ids for known in entries):
            return False
        entries.append(entry)
        del entries[: -self.capacity]
        return True

    def draw(self, problem_id: str, count: int, stream: Stream) -> list[StoredSuccess]:
        """Up to `count` different successes of the problem, drawn without replacement; [] when none is stored."""
        entries = self.stored.get(problem_id, [])
        return stream.pick(entries, min(count, len(entries)))

    def state_dict(self) -> dict[str, Any]:
        """JSON-able state for a checkpoint."""
        return {
            "stored": {
                problem_id: [[list(entry.token_ids), entry.step] for entry in entries]
                for problem_id, entries in self.stored.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` wrote; the capacity stays this store's own."""
        self.stored = {
            problem_id: [StoredSuccess(tuple(tokens), step) for tokens, step in entries]
            for problem_id, entries in state["stored"].items()
        }
