"""The filter of system calls, run by a few lines that do what the kernel does, for both machines."""

from __future__ import annotations

import struct

import pytest

from rlgrok.sandbox import filter as filters
from rlgrok.sandbox import syscalls
from rlgrok.sandbox.filter import ALLOW, EACCES, ENOSYS, ENOTTY, EPERM, ERRNO, KILL, assemble

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
BOTH = pytest.mark.parametrize("machine", MACHINES)


def answer(
    machine: str, number: int, *arguments: int, opens: bool = True, audit: int | None = None
) -> int:
    """What the kernel would do: the data is number, machine, address, six arguments of 64 bits."""
    padded = (*arguments, *(0 for _ in range(6 - len(arguments))))
    data = struct.pack("<iIQ6Q", number, MACHINES[machine] if audit is None else audit, 0, *padded)
    code = assemble(machine, opens=opens)
    place = value = 0
    while True:
        operation, yes, no, operand = code[place]
        place += 1
        match operation:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, operand)
            case 0x15:
                place += yes if value == operand else no
            case 0x35:
                place += yes if value >= operand else no
            case 0x45:
                place += yes if value & operand else no
            case 0x06:
                return operand
            case _:
                raise AssertionError(f"operation {operation:#x}")


def call(machine: str, name: str, *arguments: int, opens: bool = True) -> int:
    return answer(machine, syscalls.NUMBERS[machine][name], *arguments, opens=opens)


@BOTH
def test_what_is_needed_is_allowed_and_what_nobody_needs_kills(machine: str) -> None:
    numbers = syscalls.NUMBERS[machine]
    for name in filters.NEEDED:
        if name in numbers:
            assert call(machine, name) == ALLOW, name
    for name in filters.NOBODY_NEEDS:
        if name in numbers:
            assert call(machine, name) == KILL, name


@BOTH
def test_every_number_has_one_answer(machine: str) -> None:
    numbers = syscalls.NUMBERS[machine]
    assert len(set(numbers.values())) == len(numbers)
    assert not set(filters.NEEDED) & set(filters.NOBODY_NEEDS)
    for name in (*filters.NEEDED, *filters.NOBODY_NEEDS):
        assert any(name in table for table in syscalls.NUMBERS.values()), name
    known = {*filters.NEEDED, *filters.NOBODY_NEEDS}
    others = set(numbers) - known
    assert others == {
        "mmap", "mprotect", "fcntl", "ioctl", "tgkill", "prlimit64", "openat",
        *(("open",) if machine == "x86_64" else ()),
    }  # fmt: skip


@BOTH
def test_what_is_in_no_table_does_not_exist(machine: str) -> None:
    unknown = set(range(600)) - set(syscalls.NUMBERS[machine].values())
    assert {answer(machine, number) for number in unknown} == {ERRNO | ENOSYS}


def test_another_machine_or_table_kills() -> None:
    read = syscalls.NUMBERS["x86_64"]["read"]
    assert answer("x86_64", read, audit=0x40000003) == KILL  # 32-bit calls, with other numbers
    assert answer("x86_64", 0x40000000 | read) == KILL
    assert answer("aarch64", syscalls.NUMBERS["aarch64"]["read"], audit=0xC000003E) == KILL


@BOTH
@pytest.mark.parametrize(("name", "place"), [("openat", 2), ("open", 1)])
def test_files_are_opened_for_reading_or_not_at_all(machine: str, name: str, place: int) -> None:
    if name not in syscalls.NUMBERS[machine]:
        assert machine == "aarch64"
        return
    before = [0] * place
    closed_on_exec = 0o2000000
    assert call(machine, name, *before, closed_on_exec) == ALLOW
    assert call(machine, name, *before, closed_on_exec, opens=False) == ERRNO | EACCES
    for flag in (0o1, 0o2, 0o100, 0o1000, 0o2000, 0o20000000):
        assert call(machine, name, *before, closed_on_exec | flag) == KILL
        assert call(machine, name, *before, flag, opens=False) == KILL


@BOTH
def test_no_memory_becomes_code(machine: str) -> None:
    for name in ("mmap", "mprotect"):
        assert call(machine, name, 0, 4096, 3) == ALLOW
        assert call(machine, name, 0, 4096, 7) == ERRNO | EACCES
        assert call(machine, name, 0, 4096, 4 | 1 << 32) == ERRNO | EACCES


@BOTH
def test_descriptors_and_limits_are_looked_at_only(machine: str) -> None:
    assert [call(machine, "fcntl", 1, n) for n in (1, 2, 3, 1030)] == [ALLOW] * 4
    # duplicate above, status flags, owner, signal, size of a pipe
    assert {call(machine, "fcntl", 1, n) for n in (0, 4, 8, 10, 1031)} == {ERRNO | EPERM}
    assert call(machine, "ioctl", 1, 0x5401) == ERRNO | ENOTTY
    assert call(machine, "tgkill", 1, 1, 9) == ERRNO | EPERM
    assert call(machine, "prlimit64", 0, 7, 0, 1) == ALLOW
    assert call(machine, "prlimit64", 0, 7, 1, 0) == KILL
    assert call(machine, "prlimit64", 0, 7, 1 << 32, 0) == KILL


@BOTH
def test_it_fits_into_the_kernel(machine: str) -> None:
    code = assemble(machine, opens=True)
    assert len(code) <= 4096
    assert all(0 <= jump <= 255 for _, yes, no, _ in code for jump in (yes, no))
    assert code[-1][0] == 0x06
