"""The sandbox as its users see it: order, values, limits, what is refused, what is tried again."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from rlgrok.sandbox.pool import Sandbox
from rlgrok.sandbox.types import Call, Execution, Job, Level, Limits, Outcome
from runtime.errors import InfrastructureError

SHORT = Limits(time_s=0.3)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=2) as opened:
        yield opened


def one(sandbox: Sandbox, program: str, *arguments: tuple, limits: Limits = SHORT) -> Execution:
    calls = tuple(Call("f", given) for given in arguments or ((),))
    (found,) = sandbox.run([Job(program, calls, limits)])
    return found


def test_results_come_in_the_order_given(sandbox: Sandbox) -> None:
    jobs = [
        Job(
            f"import time\ntime.sleep({0.05 if i % 3 == 0 else 0})\ndef f(): return {i}",
            (Call("f"),),
        )
        for i in range(12)
    ]
    found = sandbox.run(jobs)
    assert [execution.results[0].value for execution in found] == list(range(12))
    assert sandbox.run([]) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("None", None), ("True", True), ("1", 1), ("1.0", 1.0), ("-0.0", -0.0), ("'é☃'", "é☃"),
        ("(1, (2.5, 'x'))", [1, [2.5, "x"]]), ("{'a': [None], 'b': {}}", {"a": [None], "b": {}}),
        ("10**4000", 10**4000), ("0.1 + 0.2", 0.1 + 0.2), ("5e-324", 5e-324), ("[]", []),
    ],
)  # fmt: skip
def test_values_keep_their_types(sandbox: Sandbox, text: str, value: object) -> None:
    found = one(sandbox, f"def f(): return {text}")
    assert found.status is Outcome.RAN
    assert repr(found.results[0].value) == repr(value)


def test_one_call_that_fails_leaves_the_others(sandbox: Sandbox) -> None:
    found = one(sandbox, "def f(x):\n    return 1 / x", (1,), (0,), (4,))
    assert found.status is Outcome.RUNTIME_ERROR
    assert found.message == "ZeroDivisionError: division by zero (line 2)"
    assert [(r.returned, r.value, r.error) for r in found.results] == [
        (True, 1.0, ""), (False, None, found.message), (True, 0.25, ""),
    ]  # fmt: skip


def test_what_was_returned_before_the_end_is_kept(sandbox: Sandbox) -> None:
    program = "import os\ndef f(x):\n    if x == 2:\n        ENDS\n    return x"
    for ends, status in (
        ("os.kill(1, 9)", Outcome.FORBIDDEN),
        ("while True: pass", Outcome.TIMEOUT),
        ("os._exit(5)", Outcome.RUNTIME_ERROR),
    ):
        found = one(sandbox, program.replace("ENDS", ends), (0,), (1,), (2,), (3,))
        assert found.status is status
        assert [r.value for r in found.results] == [0, 1, None, None]
        assert [r.error for r in found.results] == ["", "", found.message, found.message]
        assert found.message


def test_arguments_are_made_anew_for_each_call(sandbox: Sandbox) -> None:
    shared = [1, {"a": 2}]
    found = one(sandbox, "def f(x):\n    x.append(0)\n    return x", (shared,), (shared,))
    assert [r.value for r in found.results] == [[1, {"a": 2}, 0]] * 2
    assert shared == [1, {"a": 2}]


def test_a_program_knows_nothing_of_the_one_before() -> None:
    with Sandbox(workers=1) as alone:
        first, second = alone.run(
            [
                Job("import math\nmath.left = 7\ndef f(): return math.left", (Call("f"),)),
                Job("import math\ndef f(): return hasattr(math, 'left')", (Call("f"),)),
            ]
        )
    assert first.results[0].value == 7
    assert second.results[0].value is False


def test_the_same_program_does_the_same(sandbox: Sandbox) -> None:
    program = (
        "import random\ndef f(): return [random.random(), list({'a', 'b', 'c', 'd'}), hash('x')]"
    )
    found = sandbox.run([Job(program, (Call("f"),))] * 6)
    assert len({repr(execution.results) for execution in found}) == 1


@pytest.mark.parametrize(
    ("program", "status", "words"),
    [
        ("", Outcome.NO_PROGRAM, "no program"),
        (" \n\t", Outcome.NO_PROGRAM, "no program"),
        ("def f(:", Outcome.PARSE_ERROR, "SyntaxError: invalid syntax"),
        ("return 1", Outcome.PARSE_ERROR, "'return' outside function"),
        ("def g(): pass", Outcome.RUNTIME_ERROR, "NameError: the program defines no 'f'"),
        ("f = 3", Outcome.RUNTIME_ERROR, "TypeError: 'int' object is not callable"),
        ("def f(x): pass", Outcome.RUNTIME_ERROR, "missing 1 required positional argument"),
        ("def f(): return {1}", Outcome.RUNTIME_ERROR, "not plain data: set"),
        ("def f(): return {1: 2}", Outcome.RUNTIME_ERROR, "a key is not a str"),
        ("def f(): return float('inf')", Outcome.RUNTIME_ERROR, "ValueError"),
    ],
)
def test_statuses(sandbox: Sandbox, program: str, status: Outcome, words: str) -> None:
    found = one(sandbox, program)
    assert found.status is status
    assert words in found.message
    assert words in found.results[0].error


def test_what_it_prints_is_kept_and_limited(sandbox: Sandbox) -> None:
    found = one(sandbox, "def f():\n    print('a' * 3000)\n    print('end')")
    assert found.status is Outcome.RAN
    assert found.stdout == "a" * 1995 + "\nend\n"
    assert one(sandbox, "import sys\nprint('wrong', file=sys.stderr)").stdout == "wrong\n"
    small = Limits(output_kib=1)
    assert one(sandbox, "def f(): print('a' * 900)", limits=small).status is Outcome.RAN
    assert one(sandbox, "def f(): print('a' * 1100)", limits=small).status is Outcome.OUTPUT_LIMIT
    assert one(sandbox, "def f(): return 'a' * 1100", limits=small).status is Outcome.OUTPUT_LIMIT


def test_memory_is_limited_beyond_an_empty_program(sandbox: Sandbox) -> None:
    program = "def f(mib): return len(bytearray(mib << 20)) >> 20"
    found = one(sandbox, program, (20,), (60,), limits=Limits(memory_mib=40))
    assert [r.value for r in found.results] == [20, None]
    assert found.status is Outcome.MEMORY


def test_time_is_the_programs_own(sandbox: Sandbox) -> None:
    program = "import time\ndef f():\n    while time.process_time() < 99: pass"
    found = one(sandbox, program)
    assert found.status is Outcome.TIMEOUT
    assert 0.9 * SHORT.time_s < found.cpu_s < SHORT.time_s + 0.3
    assert found.wall_s >= SHORT.time_s
    asleep = one(sandbox, "import time\ntime.sleep(9)")
    assert asleep.status is Outcome.TIMEOUT
    assert asleep.cpu_s < 0.1


def test_arguments_must_be_plain(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        one(sandbox, "def f(x): return x", (float("nan"),))
    with pytest.raises(TypeError, match="not JSON serializable"):
        one(sandbox, "def f(x): return x", ({1, 2},))
    assert one(sandbox, "def f(x): return x", (1,)).status is Outcome.RAN


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"time_s": 0.0}, "time_s: got 0.0, expected 0.01 to 3600"),
        ({"time_s": float("nan")}, "time_s: got nan"),
        ({"memory_mib": 0}, "memory_mib: got 0, expected 1 to 1048576"),
        ({"output_kib": -1}, "output_kib: got -1"),
    ],
)
def test_no_limit_is_no_limit(limits: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Limits(**limits)


def test_it_says_how_programs_are_locked_in() -> None:
    with Sandbox(workers=1, level=Level.FILTER) as filtered:
        filtered.run([Job("def f(): return 1", (Call("f"),))])
        facts = filtered.facts()
    assert facts["level"] == "filter"
    assert "landlock" not in facts["layers"]
    assert {"filter", "capabilities"} <= set(facts["layers"])
    assert (facts["programs"], facts["retried"], facts["infrastructure_errors"]) == (1, 0, 0)


def test_a_closed_sandbox_runs_nothing() -> None:
    sandbox = Sandbox(workers=1)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="while it is open"):
            sandbox.run([Job("", ())])
        with sandbox:
            assert sandbox.run([Job("", ())])[0].status is Outcome.NO_PROGRAM


def test_our_own_failures_are_tried_again_counted_and_end_the_batch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Without the filter a program can end itself as an outsider would: three attempts, then it is given up.
    suicide = Job("import os\nos.kill(os.getpid(), 9)", (Call("f"),))
    honest = Job("def f(): return 1", (Call("f"),))
    with Sandbox(workers=2, layers=()) as sandbox:
        found = sandbox.run([honest] * 100 + [suicide])
        assert [execution.status for execution in found[:100]] == [Outcome.RAN] * 100
        assert found[100].status is Outcome.INFRASTRUCTURE_ERROR
        assert found[100].message == "it was killed from outside"
        assert (sandbox.counts.programs, sandbox.counts.retried, sandbox.counts.lost) == (101, 2, 1)
        with pytest.raises(InfrastructureError, match="2 of 102 programs without a result"):
            sandbox.run([suicide])
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "ERROR"] * 2


def test_another_process_may_not_use_it(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(RuntimeError, match="process that opened it"):
        sandbox.run([])
