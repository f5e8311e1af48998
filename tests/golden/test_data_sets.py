"""The named data sets do not move: sizes and a hash of every problem, test and split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rlgrok.delta.manufactoria.named import build_named, named_sets
from runtime.storage import content_hash, to_json


def test_named_data_sets(golden: Callable[[str, Any], None]) -> None:
    found = {}
    for name in named_sets():
        data = build_named(name)
        parts = [[asdict(problem) for problem in part] for part in (data.train, data.heldout)]
        found[name] = {
            "train": len(data.train),
            "test": len(data.heldout),
            "first_test": data.heldout[0].id,
            "hash": content_hash(to_json(parts)),
        }
    golden("manufactoria/data-sets.json", found)
