"""What must not move by accident in the families that rewrite the tape: words, generated tests, oracle programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlgrok.delta.manufactoria.datasets import make_problem
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.solutions import oracle
from rlgrok.types import Problem

PREPEND, OPERATION, EXTREMUM = "prepend_sequence", "numerical_operations", "numerical_max_min"
CASES: list[tuple[str, dict[str, Any]]] = [
    (PREPEND, {"sequence": "RB"}),
    (PREPEND, {"sequence": "B", "mutation": "swap"}),
    (PREPEND, {"sequence": "BB", "mutation": "replace", "source": "R", "target": ""}),
    (PREPEND, {"sequence": "R", "mutation": "replace", "source": "B", "target": "RB"}),
    (PREPEND, {"sequence": "BR", "mutation": "replace", "source": "RB", "target": "B"}),
    (OPERATION, {"operation": "add", "operand": 1}),
    (OPERATION, {"operation": "subtract", "operand": 4}),
    (OPERATION, {"operation": "and", "operand": 2}),
    (OPERATION, {"operation": "or", "operand": 8}),
    (OPERATION, {"operation": "xor", "operand": 1}),
    (OPERATION, {"operation": "not"}),
    (OPERATION, {"operation": "floor_div", "operand": 3}),
    (EXTREMUM, {"operation": "max", "operand": 5}),
    (EXTREMUM, {"operation": "min", "operand": 12}),
]


def problems() -> list[Problem]:
    return [make_problem(FAMILIES[family], setting, "two", seed=0) for family, setting in CASES]


def test_words_and_oracles(golden: Callable[[str, Any], None]) -> None:
    parts = [f"# {p.id}\n# {p.name}\n# {p.criteria}\n{oracle(p)}\n" for p in problems()]
    golden("manufactoria/output-oracles.txt", "\n".join(parts))


def test_generated_tests(golden: Callable[[str, Any], None]) -> None:
    found = {p.id: [[test.input, test.expected_output] for test in p.tests] for p in problems()}
    golden("manufactoria/output-tests.json", found)
