"""Ground truth in bulk: the core of `toolkit rl simulate`, one scene a line in, its positions a line out, in order.

A record is `{"id": ..., "scene": {...}, "timestamps": [...]}`. One that cannot be simulated does not stop the others:
its own line says what is wrong, with the line's number and the field. Scenes run in parallel processes where there are
enough of them; the numbers are the same either way.
"""

from __future__ import annotations

import json
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from rlgrok.delta.fields import RecordError, number, required, typed
from rlgrok.verify import decode_line

CHUNK = 16
"""Lines that a process takes at a time."""
MIN_PARALLEL = 64
"""Lines below which starting processes costs more than it saves."""
MAX_TIMES = 10_000
MAX_TIME_S = 60.0
"""Of a query: 240,000 steps of the engine."""
Numbered = tuple[int, str | bytes]


@dataclass(frozen=True)
class SimulateCounts:
    """What became of a batch. Blank lines are not records."""

    num_scenes: int = 0
    num_malformed: int = 0
    """Lines that are no scene; these and only these are the caller's mistake."""


def simulate_lines(
    lines: Iterable[str | bytes], write: Callable[[str], object], *, num_workers: int = 1
) -> SimulateCounts:
    """Simulate one JSON record a line and write one JSON line for each, in order.

    Args:
        lines: as read from a file; bytes are read as UTF-8.
        write: receives each output line, without a line break.
        num_workers: processes, at most.
    """
    numbered = ((place, line) for place, line in enumerate(lines, 1) if line.strip())
    first = list(islice(numbered, MIN_PARALLEL))
    rest = chain(first, numbered)
    chunks = iter(lambda: list(islice(rest, CHUNK)), [])
    if num_workers < 2 or len(first) < MIN_PARALLEL:
        results: Iterator[list[tuple[bool, str]]] = map(simulate_chunk, chunks)
    else:
        results = _in_processes(chunks, num_workers)
    scenes = malformed = 0
    for is_scene, text in chain.from_iterable(results):
        write(text)
        scenes += is_scene
        malformed += not is_scene
    return SimulateCounts(scenes, malformed)


def simulate_chunk(lines: list[Numbered]) -> list[tuple[bool, str]]:
    """The output lines of some input lines, each with whether it was a scene."""
    return [_simulate_line(place, line) for place, line in lines]


def simulate_record(record: object) -> dict[str, Any]:
    """Positions of the balls of one record at its times.

    Raises:
        RecordError: the first field that is missing, of the wrong type or out of range.
        ConfigError: the physics engine is not installed.
    """
    from rlgrok.delta.bouncingsim.scene import read_scene
    from rlgrok.delta.bouncingsim.truth import positions_at

    fields = typed(record, dict, "")
    if not isinstance(fields.get("id"), str | int):
        raise RecordError("id", "missing" if "id" not in fields else "expected a string")
    times = required(fields, "timestamps", list, "timestamps")
    if len(times) > MAX_TIMES:
        raise RecordError("timestamps", f"{len(times)} of them, at most {MAX_TIMES}")
    checked = [_time(value, f"timestamps[{index}]") for index, value in enumerate(times)]
    scene = read_scene(required(fields, "scene", dict, "scene"), "scene")
    return {"id": fields["id"], "positions": positions_at(scene, checked)}


def _simulate_line(place: int, line: str | bytes) -> tuple[bool, str]:
    try:
        return True, json.dumps(simulate_record(decode_line(line)))
    except RecordError as error:
        where = {"line": place, "field": error.field, "what": error.what}
        message = f"Record Error: line {place}: {error}"
        return False, json.dumps({"positions": None, "message": message, "error": where})


def _time(value: object, where: str) -> float:
    time = number(value, where)
    if not 0 <= time <= MAX_TIME_S:
        raise RecordError(where, f"expected 0 to {MAX_TIME_S:g} s, got {time:g}")
    return time


def _in_processes(
    chunks: Iterator[list[Numbered]], num_workers: int
) -> Iterator[list[tuple[bool, str]]]:
    """Results in the order of the chunks; a few chunks a process are in flight at a time."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        waiting: deque[Future[list[tuple[bool, str]]]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(simulate_chunk, chunk))
                if len(waiting) >= 4 * num_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
