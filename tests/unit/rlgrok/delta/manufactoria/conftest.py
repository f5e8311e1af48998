"""Strategies and builders shared by the Manufactoria tests, and the plain interpreter as an independent twin."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.dsl import PULLER_COLORS, Edge, Kind, Node, Program

# The same examples on every run, and no clock: two busy cores make any deadline a matter of luck.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

PLAIN = Path(__file__).parents[5] / "benchmarks" / "plain_manufactoria.py"
INNER_KINDS = [kind for kind in Kind if kind not in (Kind.START, Kind.END)]


@pytest.fixture(scope="session")
def plain() -> ModuleType:
    """`benchmarks/plain_manufactoria.py`, which shares no code with the package."""
    spec = importlib.util.spec_from_file_location("plain_manufactoria", PLAIN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@st.composite
def programs(draw: st.DrawFn, kinds: list[Kind] = INNER_KINDS, max_nodes: int = 5) -> Program:
    """Any parsable program: duplicate, missing and optional routes, unreachable nodes, loops, odd names."""
    names = draw(
        st.lists(
            st.sampled_from(["n0", "n1", "n2", "n3", "n4", "END", "NONE"]),
            max_size=max_nodes,
            unique=True,
        )
    )
    target = st.sampled_from([*names, "start", "end", "end", "NONE", "END"])
    nodes = [Node(Kind.START, "start", (Edge("NEXT", draw(target)),)), Node(Kind.END, "end")]
    for name in names:
        kind = draw(st.sampled_from(kinds))
        colors = PULLER_COLORS.get(kind)
        if colors is None:
            edges = [Edge("NEXT", draw(target))]
        else:
            condition = st.sampled_from([*colors, "EMPTY"])
            edges = draw(st.lists(st.builds(Edge, condition, target), max_size=4))
        nodes.insert(draw(st.integers(0, len(nodes))), Node(kind, name, tuple(edges)))
    return Program(tuple(nodes))


@pytest.fixture(scope="session")
def any_program() -> st.SearchStrategy[Program]:
    """Strategy: any program."""
    return programs()


@pytest.fixture(scope="session")
def reader_program() -> st.SearchStrategy[Program]:
    """Strategy: programs without painters."""
    return programs(kinds=list(PULLER_COLORS))


@pytest.fixture(scope="session")
def any_tape() -> st.SearchStrategy[str]:
    """Strategy: short tapes, now and then with a foreign character."""
    return st.one_of(st.text("RBYG", max_size=12), st.text("RBYGx", max_size=4))
