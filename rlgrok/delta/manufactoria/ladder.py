"""Ladder tests: training tests that pay for every right edge and that no nearly right program passes.

Accepting tests are the pattern (the shortest accepted tape), three tapes a state that leave the pattern's path by one
edge and find back, and mixed ones. As many rejecting tests are stratified by how far they get along the path, see
`STRATA`, and each symbol of the pattern is substituted once. Then tapes are added until every wrong program within two
wrong edges of the oracle fails some test.
Works for every problem whose oracle is a finite automaton; where that accepts the empty tape, "accepting" and
"rejecting" change places in all of this.

Source:
    Our own measurements (docs/methods/ladder.md): with the benchmark's tests a policy reached high full-pass rates with
    programs that were wrong on other tapes, and with loosely chosen ones it got stuck one state short.
"""

from __future__ import annotations

from collections.abc import Iterator

from rlgrok.delta.manufactoria.automaton import distinguishing_tape, encode
from rlgrok.delta.manufactoria.edge_runs import passing_pairs
from rlgrok.delta.manufactoria.families.family import Family, Parameters
from rlgrok.delta.manufactoria.families.sequences import spread
from rlgrok.delta.manufactoria.generator import expected_test
from rlgrok.delta.manufactoria.mutants import Changes, mutants
from rlgrok.delta.manufactoria.oracle_path import OraclePath
from rlgrok.types import TestCase
from runtime.seeding import Stream

PER_STATE = 3
NUM_MIXED = 3
STRATA = (13, 6, 1)
"""Weights of the rejecting tests by depth: deepest, one less, all shorter.

With 6 : 3 : 6 a program with two states that knows nothing earns more than one with all five, and a program one state
short that knows everything earns .77: policies shortened their programs first and then stayed short (docs/log.md). With
these weights the reward rises with the number of states as well as with the number of right edges, from every start.
"""
INTERIOR_SHARE = 0.15
"""Share of the rejecting tests that also leave the path on the way; the rest does so at the end only."""
MAX_TAIL = 5
_ATTEMPTS = 60  # draws in all for the mixed accepting tapes: some families have few
_CANDIDATES = 24  # tapes drawn for each rejecting test


def ladder_tests(
    family: Family, parameters: Parameters, alphabet: str, stream: Stream
) -> tuple[TestCase, ...]:
    """The tests of one problem: accepting, rejecting, then what was added against nearly right programs.

    Raises:
        NoLadderError: the oracle is not a finite automaton, or accepts every tape or none.
    """
    path = OraclePath(family.solution(parameters, alphabet), alphabet)
    accepting = _accepting(path, stream)
    rejecting = _rejecting(path, stream, PER_STATE * len(path.pattern) + NUM_MIXED + 1)
    rejecting += [tape for tape in _substituted(path, stream) if tape not in rejecting]
    chosen = [*accepting, *rejecting]
    chosen += _repairs(path, chosen)
    return tuple(expected_test(family, parameters, tape) for tape in chosen)


def _accepting(path: OraclePath, stream: Stream) -> list[str]:
    """The pattern, three detours a state, and mixed tapes up to the full number."""
    chosen = [path.pattern]
    for position in range(len(path.pattern)):
        detours = [tape for tape in path.detours(position, stream) if tape not in chosen]
        chosen += detours[:PER_STATE]
    wanted = PER_STATE * len(path.pattern) + NUM_MIXED + 1
    for _ in range(_ATTEMPTS):
        if len(chosen) >= wanted:
            break
        tape = path.walk(len(path.pattern), 0.5, stream) + spread(
            stream, path.alphabet, 0, MAX_TAIL
        )
        if path.accepts(tape) and tape not in chosen:
            chosen.append(tape)
    return chosen


def _rejecting(path: OraclePath, stream: Stream, count: int) -> list[str]:
    """Rejected tapes in the proportions of `STRATA`; a stratum with too few tapes leaves its share to the others.

    Among some drawn tapes of a stratum the one is taken that most of the programs with one state left out accept,
    those counting more that have failed fewer tests so far: each must lose about the same.
    """
    num_failed = [0] * len(path.shortcuts)
    chosen: list[str] = []
    for depths in _depth_plan(path.deepest, count):
        if len(chosen) == count:
            break
        best: tuple[float, str, list[bool]] | None = None
        for tape in _rejected_tapes(path, depths, stream):
            codes = encode(tape) or b""
            accepted_by = [shortcut.accepts_codes(codes) for shortcut in path.shortcuts]
            gain = sum(is_so / (1 + n) for is_so, n in zip(accepted_by, num_failed, strict=True))
            if tape not in chosen and (best is None or gain > best[0]):
                best = (gain, tape, accepted_by)
        if best is not None:
            chosen.append(best[1])
            num_failed = [n + is_so for n, is_so in zip(num_failed, best[2], strict=True)]
    return chosen


def _depth_plan(deepest: int, count: int) -> Iterator[set[int]]:
    """The allowed depths of each rejecting test in turn; the shorter ones take turns, so that none is left out.

    Twice as many as asked for: the second half allows every depth.
    """
    first, second, rest = _shares(count)
    yield from [{deepest}] * first
    yield from [{deepest - 1}] * second
    shorter = range(deepest - 2, -1, -1)
    yield from [{shorter[index % len(shorter)]} for index in range(rest if shorter else 0)]
    yield from [set(range(deepest + 1))] * count


def _rejected_tapes(path: OraclePath, depths: set[int], stream: Stream) -> list[str]:
    """Some rejected tapes whose depth is one of these: half of them get stuck there, half go on as if nothing was."""
    wanted = sorted(depth for depth in depths if depth >= 0)
    found = []
    for attempt in range(_CANDIDATES if wanted else 0):
        depth = stream.choice(wanted)
        if attempt % 2:
            depth = stream.integer(0, depth)
        probability = 0.5 if stream.bernoulli(INTERIOR_SHARE) else 0.0
        tape = path.walk(depth, probability, stream)
        tape += path.tail(path.after(tape), depth, stream)
        if attempt % 2:
            tape += path.pattern[depth + 1 :]
        if not path.accepts(tape) and path.depth(tape) in depths:
            found.append(tape)
    return found


def _substituted(path: OraclePath, stream: Stream) -> list[str]:
    """The pattern with each symbol in turn replaced by a random other one, where that is rejected."""
    pattern = path.pattern
    found = []
    for position, symbol in enumerate(pattern):
        other = stream.choice(path.alphabet.replace(symbol, ""))
        tape = pattern[:position] + other + pattern[position + 1 :]
        if not path.accepts(tape):
            found.append(tape)
    return found


def _repairs(path: OraclePath, chosen: list[str]) -> list[str]:
    """Tapes that fail every wrong program within two wrong edges that passes all tapes chosen so far.

    Each is the shortest tape that tells the program from the oracle, and serves for the programs after it too.
    """
    right = path.oracle.accepts_codes
    wanted = [(codes, right(codes)) for codes in (encode(tape) or b"" for tape in chosen)]
    added = []
    for changes in _nearly_right(path, wanted):
        mutant = path.mutator.mutant(changes)
        if mutant is None or any(mutant.accepts_codes(codes) != label for codes, label in wanted):
            continue
        tape = distinguishing_tape(mutant, path.oracle, path.alphabet)
        if tape is not None:
            added.append(tape)
            codes = encode(tape) or b""
            wanted.append((codes, right(codes)))
    return added


def _nearly_right(path: OraclePath, wanted: list[tuple[bytes, bool]]) -> Iterator[Changes]:
    """One wrong edge, then two with which what is wanted by then is met; all others fail already."""
    program = path.mutator.program
    yield from mutants(program, 1)
    yield from passing_pairs(program, tuple(wanted))


def _shares(count: int) -> list[int]:
    """A count split by `STRATA`, largest remainders first."""
    exact = [count * weight / sum(STRATA) for weight in STRATA]
    shares = [int(share) for share in exact]
    order = sorted(range(len(STRATA)), key=lambda index: shares[index] - exact[index])
    for index in order[: count - sum(shares)]:
        shares[index] += 1
    return shares
