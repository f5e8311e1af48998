"""Named random streams from one root seed: the same values on every platform, Python and library version.

A stream is SHA-256 in counter mode, keyed by the root and a path of names, so that streams with
different paths are independent and adding one never shifts another. Not for cryptography and not
for bulk arrays: hand `seed` to the array library instead. What surprises: a stream is stateful
(drawing advances it), but `child` and `seed` depend on its path alone, never on what was drawn
before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_WORD_BITS = 64
_WORDS_PER_BLOCK = 4  # a SHA-256 digest holds four 64-bit words
_DOUBLE_BITS = 53  # the width of a double's significand: k / 2**53 is exact and uniform on its grid


class Stream:
    """A stream of random values named by a root seed and a path of names.

    Args:
        root: the run's seed, any integer (0 and negative ones included).
        names: what the stream is for, outermost first: `Stream(seed, "split", "train", 3)`. The
            number 3 and the text "3" are different names.

    Raises:
        TypeError: root is not an integer, or a name is neither text nor an integer.
    """

    __slots__ = ("_block", "_key", "_position", "names", "root")

    def __init__(self, root: int, *names: str | int) -> None:
        self.root = _checked_int(root, "root")
        self.names = names
        self._key = hashlib.sha256(_encode(self.root, names)).digest()
        self._block: tuple[int, ...] = ()
        self._position = 0

    def __repr__(self) -> str:
        """The path, not the state."""
        return f"Stream({', '.join(repr(part) for part in (self.root, *self.names))})"

    def child(self, *names: str | int) -> Stream:
        """A fresh stream further down the path; independent of what this one has drawn."""
        return Stream(self.root, *self.names, *names)

    @property
    def seed(self) -> int:
        """A 63-bit seed for torch, NumPy generators or JAX keys; the same each time it is read."""
        return int.from_bytes(hashlib.sha256(self._key + b"seed").digest()[:8], "big") >> 1

    @property
    def seed32(self) -> int:
        """A 32-bit seed for libraries that take no more; the same each time it is read."""
        return self.seed & 0xFFFFFFFF

    def below(self, n: int) -> int:
        """A uniform integer in [0, n), without modulo bias.

        Raises:
            ValueError: n is not in [1, 2**64].
        """
        if not 1 <= n <= 1 << _WORD_BITS:
            raise ValueError(f"n must be in [1, 2**64], got {n}")
        limit = (1 << _WORD_BITS) // n * n
        while (word := self._word()) >= limit:
            pass
        return word % n

    def integer(self, low: int, high: int) -> int:
        """A uniform integer in [low, high], both ends included.

        Raises:
            ValueError: high < low.
        """
        if high < low:
            raise ValueError(f"the range [{low}, {high}] is empty")
        return low + self.below(high - low + 1)

    def uniform(self) -> float:
        """A uniform number in [0, 1), on the grid of 2**-53."""
        return (self._word() >> (_WORD_BITS - _DOUBLE_BITS)) / (1 << _DOUBLE_BITS)

    def bernoulli(self, p: float) -> bool:
        """True with probability p. Consumes one value even for p = 0 and p = 1, so nothing after it shifts.

        Raises:
            ValueError: p is not in [0, 1].
        """
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"p must be in [0, 1], got {p}")
        return self.uniform() < p

    def choice(self, items: Sequence[T]) -> T:
        """One item, uniformly.

        Raises:
            ValueError: items is empty.
        """
        if not items:
            raise ValueError("cannot choose from an empty sequence")
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All items in a uniformly random order; the argument is left alone."""
        return self.pick(items, len(items))

    def pick(self, items: Sequence[T], k: int) -> list[T]:
        """K items without replacement, in random order.

        Raises:
            ValueError: k is not in [0, len(items)].
        """
        pool = list(items)
        if not 0 <= k <= len(pool):
            raise ValueError(f"cannot pick {k} of {len(pool)} items without replacement")
        for index in range(k):  # the first k steps of a Fisher-Yates shuffle
            other = index + self.below(len(pool) - index)
            pool[index], pool[other] = pool[other], pool[index]
        return pool[:k]

    def _word(self) -> int:
        """The next 64-bit word."""
        index = self._position % _WORDS_PER_BLOCK
        if index == 0:
            counter = (self._position // _WORDS_PER_BLOCK).to_bytes(8, "big")
            digest = hashlib.sha256(self._key + counter).digest()
            self._block = tuple(int.from_bytes(digest[i : i + 8], "big") for i in range(0, 32, 8))
        self._position += 1
        return self._block[index]


def _encode(root: int, names: tuple[str | int, ...]) -> bytes:
    """An injective encoding of the path: every part carries its type and its length."""
    parts = [_part(root), *(_part(name) for name in names)]
    return b"toolkit-stream-1" + b"".join(parts)


def _part(name: str | int) -> bytes:
    if isinstance(name, str):
        tag, text = b"s", name.encode()
    else:
        tag, text = b"i", str(_checked_int(name, "a stream name")).encode()
    return tag + len(text).to_bytes(4, "big") + text


def _checked_int(value: int, what: str) -> int:
    """The value as a plain int; a bool or a float would silently name another stream."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(
            f"{what} must be an integer{'' if what == 'root' else ' or text'}, got {value!r}"
        )
    return int(value)
