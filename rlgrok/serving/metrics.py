"""Counters of the service in the Prometheus text format, written by hand: a dozen lines need no client library."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper ends of the latency histogram: a request takes about two milliseconds, and seconds when it has to queue."""
OTHER = "other"
"""The path of everything that is not one of ours: labels must not grow with what clients make up."""


class Metrics:
    """What has happened so far.

    Args:
        paths: the known paths.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.num_in_flight = 0
        self._paths = frozenset(paths)
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._buckets = [0] * (len(BUCKETS_S) + 1)
        self._seconds = 0.0

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        path = path if path in self._paths else OTHER
        method = method if method in ("GET", "POST", "HEAD") else OTHER
        self._requests[method, path, status] += 1
        self._buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self._seconds += seconds

    def count_outcome(self, outcome: str) -> None:
        """Count one judged program by what became of it."""
        self._outcomes[outcome] += 1

    @property
    def num_requests(self) -> int:
        """Requests answered."""
        return self._requests.total()

    @property
    def by_status(self) -> dict[str, int]:
        """Requests answered, by status."""
        totals: Counter[str] = Counter()
        for (_, _, status), count in sorted(self._requests.items(), key=lambda item: item[0][2]):
            totals[str(status)] += count
        return dict(totals)

    def render(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """The page that a scraper reads.

        Args:
            gauges: name (with labels, if any) -> help and value at this moment, beside our own counters.
        """
        lines = _head("toolkit_requests_total", "counter", "Requests answered.")
        for (method, path, status), count in sorted(self._requests.items()):
            labels = f'method="{method}",path="{path}",status="{status}"'
            lines.append(f"toolkit_requests_total{{{labels}}} {count}")
        lines += _head(
            "toolkit_programs_total", "counter", "Programs by what became of the request."
        )
        for outcome, count in sorted(self._outcomes.items()):
            lines.append(f'toolkit_programs_total{{outcome="{outcome}"}} {count}')
        lines += self._histogram()
        for name, (words, value) in gauges.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [*_head(name, kind, words), f"{name} {value:g}"]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        name = "toolkit_request_seconds"
        lines = _head(
            name, "histogram", "From the first byte of a request to the end of its answer."
        )
        total = 0
        for edge, count in zip((*BUCKETS_S, float("inf")), self._buckets, strict=True):
            total += count
            words = "+Inf" if edge == float("inf") else f"{edge:g}"
            lines.append(f'{name}_bucket{{le="{words}"}} {total}')
        return [*lines, f"{name}_sum {self._seconds:.6f}", f"{name}_count {total}"]


def _head(name: str, kind: str, words: str) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
