"""Verdicts during training: a memo in front of a scope's verifier.

A policy near convergence writes the same program hundreds of times a step; each pair of problem and program is
judged once. The memo is bounded and holds verdicts only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b

from rlgrok.types import Completion, Judge, Problem, Scope, Status, Verdict
from runtime.errors import InfrastructureError

MAX_FAILURE_SHARE = 0.01
"""A run stops when more than this share of its verdicts is our own failure."""
MIN_VERDICTS_FOR_SHARE = 1000
_DIGESTS = 4096
"""Digests kept beside their texts, of about a step: feedback, replay, resampling and the reward ask in turn."""


class Verifier:
    """Judges completions of known problems, remembers verdicts, counts its own failures.

    Args:
        scope: whose `extract`, `verify` and `verify_exhaustive` are used.
        problems: every problem that may be asked about, by id.
        judge: whose verdict `decide` gives.
        capacity: verdicts remembered; the least recently used leaves first.
    """

    def __init__(
        self,
        scope: Scope,
        problems: Mapping[str, Problem],
        *,
        judge: Judge = Judge.TESTS,
        capacity: int = 200_000,
    ) -> None:
        self._scope = scope
        self._judge = judge
        self._problems = problems
        self._capacity = capacity
        self._memo: OrderedDict[tuple[str, bytes, bool], Verdict] = OrderedDict()
        self._digests: dict[str, bytes] = {}
        self.num_asked = 0
        self.num_judged = 0
        self.num_failures = 0

    def decide(self, problem_id: str, completion: Completion) -> Verdict:
        """The verdict that pays or counts: of the tests or of every short input, as was chosen."""
        return self._verdict(
            problem_id, completion.text, exhaustive=self._judge is Judge.EXHAUSTIVE
        )

    def verify(self, problem_id: str, completion: Completion) -> Verdict:
        """The verdict of the problem's own tests on a completion."""
        return self._verdict(problem_id, completion.text, exhaustive=False)

    def verify_exhaustive(self, problem_id: str, completion: Completion) -> Verdict:
        """The verdict of every short input on a completion."""
        return self._verdict(problem_id, completion.text, exhaustive=True)

    def _verdict(self, problem_id: str, text: str, *, exhaustive: bool) -> Verdict:
        key = (problem_id, self._digest(text), exhaustive)
        self.num_asked += 1
        known = self._memo.get(key)
        if known is not None:
            self._memo.move_to_end(key)
            return known
        judge = self._scope.verify_exhaustive if exhaustive else self._scope.verify
        verdict = judge(self._problems[problem_id], self._scope.extract(text))
        self.num_judged += 1
        if verdict.status is Status.INFRASTRUCTURE_ERROR:
            self._count_failure(verdict)
            return verdict
        self._memo[key] = verdict
        if len(self._memo) > self._capacity:
            self._memo.popitem(last=False)
        return verdict

    def _digest(self, text: str) -> bytes:
        """What the memo keeps of a text: two hundred thousand completions of a language model are gigabytes."""
        digest = self._digests.get(text)
        if digest is None:
            digest = blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
            if len(self._digests) >= _DIGESTS:
                self._digests.clear()
            self._digests[text] = digest
        return digest

    def _count_failure(self, verdict: Verdict) -> None:
        self.num_failures += 1
        enough = self.num_asked >= MIN_VERDICTS_FOR_SHARE
        if enough and self.num_failures > MAX_FAILURE_SHARE * self.num_asked:
            raise InfrastructureError(
                "the verifier fails too often",
                got=f"{self.num_failures} of {self.num_asked} verdicts; the last: {verdict.message}",
                expected=f"at most {MAX_FAILURE_SHARE:.0%}",
            )
