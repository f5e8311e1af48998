"""Ground truth in bulk: in order, the same from one process and from several, bad lines by number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rlgrok import simulate
from rlgrok.simulate import simulate_lines

FROZEN = Path(__file__).parent / "delta" / "bouncingsim" / "frozen.jsonl"


def run(lines: list[str], **options: Any) -> tuple[simulate.SimulateCounts, list[dict[str, Any]]]:
    written: list[str] = []
    counts = simulate_lines(lines, written.append, **options)
    return counts, [json.loads(line) for line in written]


def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FROZEN.read_text(encoding="utf-8").splitlines()]


def test_positions_in_order() -> None:
    counts, found = run([json.dumps(entry) for entry in entries()])
    assert (counts.num_scenes, counts.num_malformed) == (14, 0)
    assert found == [{"id": one["id"], "positions": one["positions"]} for one in entries()]


def test_several_processes_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "MIN_PARALLEL", 4)
    monkeypatch.setattr(simulate, "CHUNK", 3)
    lines = [json.dumps(entry) for entry in entries()]
    lines.insert(5, "{")
    assert run(lines, num_workers=2) == run(lines, num_workers=1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"timestamps": [1, -1]}, "timestamps[1]"),
        ({"timestamps": [61]}, "timestamps[0]"),
        ({"timestamps": None}, "timestamps"),
        ({"scene": {"boxes": [], "balls": [{}]}}, "scene.balls[0].sides"),
    ],
)
def test_a_bad_line_is_named(change: dict[str, Any], field: str) -> None:
    first = entries()[0]
    counts, found = run([json.dumps(first), "", json.dumps({**first, **change}), json.dumps(first)])
    assert (counts.num_scenes, counts.num_malformed) == (2, 1)
    assert found[1]["positions"] is None
    assert (found[1]["error"]["line"], found[1]["error"]["field"]) == (3, field)
    assert found[0] == found[2]
