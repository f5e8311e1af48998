"""Self-tests of a problem's tests: what nearly right programs earn. For ladder tests, and to compare others with them.

Programs are judged as texts by the same judge that training uses, and called wrong by the exhaustive verdict, so
nothing here relies on how the tests were made.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from rlgrok.delta.manufactoria.automaton import encode
from rlgrok.delta.manufactoria.canonical import canonicalise
from rlgrok.delta.manufactoria.dsl import END_NAME, START_NAME, Edge, Program, format_program
from rlgrok.delta.manufactoria.edge_runs import passing_pairs
from rlgrok.delta.manufactoria.exhaustive import solves
from rlgrok.delta.manufactoria.judge import PreparedTests, verify_prepared
from rlgrok.delta.manufactoria.mutants import apply_changes, drawn_mutants, mutants, num_mutants
from rlgrok.delta.manufactoria.solutions import oracle_program
from rlgrok.types import Problem
from runtime.seeding import Stream


@dataclass(frozen=True)
class FalsePasses:
    """How many programs a few wrong edges from the oracle pass all tests although they are wrong."""

    num_tried: int
    num_false: int
    first: str | None
    """The text of one of them."""


def false_passes(problem: Problem, *, max_wrong: int = 2, drawn: int | None = None) -> FalsePasses:
    """Judge the programs with 1 to `max_wrong` wrong edges.

    Args:
        problem: with the tests in question.
        max_wrong: edges changed at most.
        drawn: where given, this many random programs for each number of wrong edges above one, instead of all.
    """
    program = oracle_program(problem)
    prepared = PreparedTests(problem.tests)
    stream = Stream(0, "false passes", problem.id)
    tried = false = 0
    first = None
    for num_wrong in range(1, max_wrong + 1):
        sampled = drawn is not None and num_wrong > 1
        changes = (
            drawn_mutants(program, num_wrong, drawn or 0, stream)
            if sampled
            else mutants(program, num_wrong)
        )
        for change in changes:
            tried += 1
            mutant = apply_changes(program, change)
            text = format_program(mutant)
            if verify_prepared(text, prepared).full_pass and not solves(mutant, problem):
                false += 1
                first = first or text
    return FalsePasses(tried, false, first)


def false_pairs(problem: Problem) -> FalsePasses:
    """As `false_passes` for all programs with exactly two wrong edges, however many: see `edge_runs.py`.

    Raises:
        ValueError: the problem's program paints, or a test asks for more than acceptance or has a foreign symbol.
    """
    program = oracle_program(problem)
    tests = []
    for test in problem.tests:
        codes = encode(test.input)
        if codes is None or test.check_output:
            raise ValueError(f"{problem.id}: not a test of acceptance: {test}")
        tests.append((codes, test.expected_accepted))
    passing = (apply_changes(program, changes) for changes in passing_pairs(program, tests))
    wrong = [mutant for mutant in passing if not solves(mutant, problem)]
    first = format_program(wrong[0]) if wrong else None
    return FalsePasses(num_mutants(program, 2), len(wrong), first)


@dataclass(frozen=True)
class Earnings:
    """Pass rates of the right program's degradations."""

    shortened: tuple[float, ...]
    """The program that is content with the first k symbols of the pattern, k = 1, 2, ..., all of them."""
    left_out: tuple[float, ...]
    """The program that lacks the k-th state; the states before and after are joined."""
    miswired: float
    """The best wrong program with one wrong edge."""

    @property
    def is_monotone(self) -> bool:
        """No further right state costs anything, and nothing degraded earns as much as the right program."""
        rising = all(fewer <= more for fewer, more in pairwise(self.shortened))
        return rising and max((*self.shortened[:-1], *self.left_out, self.miswired)) < 1.0


def earnings(problem: Problem) -> Earnings:
    """What the degradations of a problem's oracle earn on its tests.

    Raises:
        ValueError: the family's oracle is not a line of pullers, one state a symbol (four colours, transformations).
    """
    program = oracle_program(problem)
    pullers = [node.name for node in program.nodes if node.name not in (START_NAME, END_NAME)]
    if len(pullers) != len(problem.parameters.get("sequence", "")):
        raise ValueError(f"{problem.id}: the oracle does not have one puller a symbol")
    names = [*pullers, END_NAME]
    prepared = PreparedTests(problem.tests)

    def earned(candidate: Program) -> float:
        return verify_prepared(format_program(candidate), prepared).pass_rate

    short = [_redirected(program, names[end], END_NAME) for end in range(1, len(pullers))]
    joined = [_redirected(program, one, following) for one, following in pairwise(names)]
    wrong = (apply_changes(program, change) for change in mutants(program, 1))
    return Earnings(
        shortened=(*(earned(candidate) for candidate in short), earned(program)),
        left_out=tuple(earned(candidate) for candidate in joined if not solves(candidate, problem)),
        miswired=max(earned(candidate) for candidate in wrong if not solves(candidate, problem)),
    )


def _redirected(program: Program, name: str, target: str) -> Program:
    """The program in which every route to a node leads elsewhere."""
    nodes = [
        node._replace(edges=tuple(Edge(c, target if t == name else t) for c, t in node.edges))
        for node in program.nodes
    ]
    return canonicalise(Program(tuple(nodes)))
