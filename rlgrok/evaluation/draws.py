"""Completions drawn from a policy, kept so that a later evaluation adds to them instead of starting over.

One file a (policy, prompts, sampling settings, seed), named by their hash, with the full identity on its first line.
Only texts are kept, never verdicts: those are made anew, so a mended judge never meets stale ones. Not guaranteed: that
two machines draw the same texts from the same seed; the file says what was drawn, not what would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rlgrok.evaluation.gzip_lines import append_lines, mend
from runtime.errors import InputError
from runtime.locks import OwnedLock, holder_of
from runtime.storage import content_hash, storage_errors, to_json

FORMAT = 1
FOREVER = -1.0
"""As long as it takes: the lock dies with its holder."""


@dataclass(frozen=True)
class DrawIdentity:
    """Everything a draw's distribution depends on, and the seed. Two equal identities may share their draws."""

    policy: str
    """`sha256:...` over weights and vocabulary."""
    data: str
    """`sha256:...` over problem ids and prompts, see `data_identity`. Tests are not in it: texts outlive them."""
    temperature: float
    top_p: float
    max_new_tokens: int
    seed: int

    def key(self) -> str:
        """The first 16 hexadecimal digits of the identity's hash: the file's name."""
        return content_hash(to_json(asdict(self))).removeprefix("sha256:")[:16]


@dataclass(frozen=True, slots=True)
class Draw:
    """One completion; `index` counts the draws of its problem from 0."""

    problem_id: str
    index: int
    text: str
    num_tokens: int
    is_truncated: bool


def data_identity(prompts: Mapping[str, str]) -> str:
    """A hash over problem ids and their prompts, in order."""
    return content_hash(*(part for pair in prompts.items() for part in pair))


class DrawStore:
    """The draws of one identity, open for reading and appending by one process at a time.

    Use as a context manager. A torn last append, left by a kill, is dropped on opening.

    Args:
        folder: where such files are kept; made when absent.
        identity: whose draws.
        path: the file, instead of the one in `folder` named by the identity's hash.
        on_wait: called with who has the file open, before waiting for them. None: do not wait.

    Raises:
        InputError: the file belongs to another identity, names the first field that differs; or it is damaged, or
            another process has it open and there is no `on_wait`.
        StorageError: the disk refused.
    """

    def __init__(
        self,
        folder: Path,
        identity: DrawIdentity,
        *,
        path: Path | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.identity = identity
        self._on_wait = on_wait
        self.path = path if path is not None else folder / f"{identity.key()}.jsonl.gz"
        self._lock = OwnedLock(self.path.with_suffix(".lock"), owner="drawing completions")
        self._draws: dict[str, list[Draw]] = {}

    def __enter__(self) -> DrawStore:
        """Lock, mend and read the file."""
        with storage_errors(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._lock.acquire():
            self._wait(str(holder_of(self._lock.path) or "another process"))
        try:
            self._load()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the file back."""
        self._lock.release()

    def count(self, problem_id: str) -> int:
        """How many draws of a problem are kept."""
        return len(self._draws.get(problem_id, ()))

    def draws(self, problem_id: str) -> Sequence[Draw]:
        """The draws of a problem, oldest first."""
        return tuple(self._draws.get(problem_id, ()))

    def add(self, draws: Sequence[Draw]) -> None:
        """Append draws in one durable write; their indices must continue those kept.

        Raises:
            ValueError: an index leaves a gap or repeats one.
            StorageError: the disk refused; nothing is added.
        """
        counts = {draw.problem_id: self.count(draw.problem_id) for draw in draws}
        for draw in draws:
            if draw.index != counts[draw.problem_id]:
                expected = counts[draw.problem_id]
                raise ValueError(
                    f"draw {draw.index} of {draw.problem_id} does not continue at {expected}"
                )
            counts[draw.problem_id] += 1
        append_lines(self.path, [asdict(draw) for draw in draws])
        for draw in draws:
            self._draws.setdefault(draw.problem_id, []).append(draw)

    def _wait(self, holder: str) -> None:
        if self._on_wait is None:
            raise InputError(
                "another evaluation is adding to the same draws",
                got=f"held by {holder}",
                where=self.path,
                hint="wait for it to finish, then run this again: it will use those draws",
            )
        self._on_wait(holder)
        self._lock.acquire(FOREVER)

    def _load(self) -> None:
        records = mend(self.path)
        if not records:
            append_lines(self.path, [{"format": FORMAT, **asdict(self.identity)}])
            return
        self._check_header(records[0])
        for record in records[1:]:
            draw = _read_draw(record, self.path)
            kept = self._draws.setdefault(draw.problem_id, [])
            if draw.index != len(kept):
                raise InputError(
                    "a draw is missing or repeated",
                    got=f"index {draw.index} of {draw.problem_id}",
                    expected=f"{len(kept)}",
                    where=self.path,
                )
            kept.append(draw)

    def _check_header(self, header: Mapping[str, Any]) -> None:
        for name, wanted in {"format": FORMAT, **asdict(self.identity)}.items():
            if header.get(name) != wanted:
                raise InputError(
                    f"these draws are of another {name.replace('_', ' ')}",
                    got=header.get(name, "(absent)"),
                    expected=str(wanted),
                    where=self.path,
                    hint="name another file, or move this one away",
                )


def _read_draw(record: Mapping[str, Any], path: Path) -> Draw:
    try:
        return Draw(**record)
    except TypeError as error:
        raise InputError("not a draw", got=", ".join(sorted(record)), where=path) from error
