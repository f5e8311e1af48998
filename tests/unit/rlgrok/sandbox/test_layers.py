"""One wall at a time: what it stops alone, and that nothing stops it when all are off."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rlgrok.sandbox import probe
from rlgrok.sandbox.pool import REQUIRED, Sandbox, capabilities
from rlgrok.sandbox.types import Call, Execution, Job, Limits, Outcome

READ = "def f(): return open('PLACE').read()"
WRITE = "def f(): return open('PLACE', 'r+').seek(0)"
SOCKET = "import _socket\ndef f(): return _socket.socket(2, 1, 0).fileno() > 0"
FORK = "import os\ndef f():\n    p = os.fork()\n    if not p: os._exit(0)\n    return os.waitpid(p, 0)[1]"
SIGNAL = "import os\ndef f(): return os.kill(os.getppid(), 0)"
POWER = "def f(): return [x for x in open('/proc/self/status') if x.startswith('CapEff')]"
INTERFACES = "import _socket\ndef f(): return [name for _, name in _socket.if_nameindex()]"
MEMORY_OF_ZYGOTE = "import os\ndef f(): return len(open(f'/proc/{os.getppid()}/maps').read()) > 0"


Run = Callable[..., Execution]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs one program behind those layers alone; a sandbox for each choice of layers, opened once."""
    with ExitStack() as stack:
        opened: dict[frozenset[str], Sandbox] = {}

        def run_one(program: str, *layers: str) -> Execution:
            chosen = frozenset(layers)
            if chosen not in opened:
                opened[chosen] = stack.enter_context(Sandbox(workers=1, layers=layers))
            (found,) = opened[chosen].run([Job(program, (Call("f"),), Limits(time_s=0.5))])
            return found

        yield run_one


def value(execution: Execution) -> object:
    assert execution.status is Outcome.RAN, execution
    return execution.results[0].value


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    place = tmp_path / "secret"
    place.write_text("known")
    return place


def test_landlock_alone_stops_files_and_signals(run: Run, secret: Path) -> None:
    read, write = (text.replace("PLACE", str(secret)) for text in (READ, WRITE))
    assert value(run(read)) == "known"
    assert value(run(write)) == 0
    assert value(run(SIGNAL)) is None
    for text in (read, write):
        found = run(text, probe.LANDLOCK)
        assert found.status is Outcome.RUNTIME_ERROR
        assert "PermissionError" in found.message
    assert "PermissionError" in run(SIGNAL, probe.LANDLOCK).message
    # what it leaves: processes and sockets
    assert value(run(FORK, probe.LANDLOCK)) == 0
    assert value(run(SOCKET, probe.LANDLOCK)) is True


def test_landlock_leaves_the_standard_library_readable(run: Run) -> None:
    unloaded = "import this\ndef f(): return this.s[:4]"
    assert value(run(unloaded, probe.LANDLOCK, probe.FILTER)) == "Gur "
    text = f"import os\ndef f(): return sorted(os.listdir({str(Path(os.__file__).parent)!r}))[:1]"
    assert len(value(run(text, probe.LANDLOCK, probe.FILTER))) == 1


def test_the_filter_alone_stops_all(run: Run, secret: Path) -> None:
    for text in (FORK, SOCKET, SIGNAL, WRITE.replace("PLACE", str(secret))):
        assert run(text, probe.FILTER).status is Outcome.FORBIDDEN
    found = run(READ.replace("PLACE", str(secret)), probe.FILTER)
    assert "PermissionError" in found.message
    assert "PermissionError" in run("import this", probe.FILTER).message


def test_without_powers_and_without_a_network(run: Run) -> None:
    with open("/proc/self/status") as facts:
        own = [line for line in facts if line.startswith("CapEff")]
    assert value(run(POWER)) == own
    assert value(run(POWER, probe.CAPABILITIES)) == ["CapEff:\t0000000000000000\n"]
    assert value(run(POWER, probe.CAPABILITIES, probe.NAMESPACES)) == value(
        run(POWER, probe.CAPABILITIES)
    )
    assert value(run(INTERFACES, probe.NAMESPACES)) == ["lo"]


def test_limits_hold_without_any_wall(run: Run, tmp_path: Path) -> None:
    assert run("def f():\n    while True: pass").status is Outcome.TIMEOUT
    assert run("def f(): return bytearray(1 << 40)").status is Outcome.MEMORY
    assert run("def f(): return 'x' * (1 << 20)").status is Outcome.OUTPUT_LIMIT
    place = tmp_path / "grown"
    found = run(f"def f():\n    with open({str(place)!r}, 'w') as out: out.write('x')")
    assert found.status is Outcome.RUNTIME_ERROR
    assert place.read_text() == ""


def test_the_zygote_cannot_be_looked_into(run: Run) -> None:
    assert "PermissionError" in run(MEMORY_OF_ZYGOTE, probe.CAPABILITIES).message
    assert "PermissionError" in run(MEMORY_OF_ZYGOTE, probe.LANDLOCK).message


def test_this_machine_says_what_it_offers() -> None:
    found = capabilities()
    assert set(found["layers"]) == set(probe.LAYERS)
    assert found["levels"] == [
        str(level)
        for level, needed in REQUIRED.items()
        if all(found["layers"][name] is None for name in needed)
    ]
    assert found["machine"] == os.uname().machine
    assert found["waiting_is_counted"] is Path("/proc/self/schedstat").exists()


WITHOUT = """
import ctypes, struct, sys
from rlgrok.sandbox import filter as filters, syscalls
from rlgrok.sandbox.pool import Sandbox, capabilities
from rlgrok.sandbox.types import Call, Job
from runtime.errors import ConfigError

number = syscalls.NUMBERS[syscalls.machine()][sys.argv[1]]
code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, filters.ERRNO | 38), (6, 0, 0, filters.ALLOW)]
packed = b"".join(struct.pack("=HBBI", *one) for one in code)
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))
syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
program = Program(len(code), packed)
syscalls.call("seccomp", 1, 0, ctypes.byref(program))
print(capabilities()["levels"])
for level in ("full", "filter", "limits"):
    try:
        with Sandbox(workers=1, level=level) as sandbox:
            (found,) = sandbox.run([Job("def f(): return 1", (Call("f"),))])
            print(level, found.status, sorted(sandbox.facts()["missing"]))
    except ConfigError as error:
        print(level, "refused:", error.got)
"""
"""On a kernel that does not know one system call, which another filter sees to."""


@pytest.mark.parametrize(
    ("missing", "levels", "lines"),
    [
        (
            "landlock_create_ruleset",
            ["filter", "limits"],
            [
                "full refused: landlock: landlock_create_ruleset: Function not implemented",
                "filter ran []",
                "limits ran []",
            ],
        ),
        (
            "seccomp",
            ["limits"],
            [
                "full refused: filter: the kernel refuses it, or it is in the way",
                "filter refused: filter: the kernel refuses it, or it is in the way",
                "limits ran []",
            ],
        ),
        (
            "unshare",
            ["full", "filter", "limits"],
            ["full ran ['namespaces']", "filter ran ['namespaces']", "limits ran ['namespaces']"],
        ),
    ],
)
def test_a_weaker_machine_refuses_what_it_cannot_keep(
    missing: str, levels: list[str], lines: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, missing], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [str(levels), *lines]
