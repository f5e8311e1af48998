"""The filter of system calls: a table of what a program needs, a table of what nobody needs, as code for the kernel.

What is in neither table fails with ENOSYS, as on a kernel that does not have it: a C library copes with that. What
nobody needs ends the process at once, which the zygote sees as a signal, so that the fact *forbidden* is the kernel's
own. Kernel: Documentation/userspace-api/seccomp_filter.rst. Standard library alone: the zygote imports this.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence

from rlgrok.sandbox import syscalls

KILL = 0x80000000
ALLOW = 0x7FFF0000
ERRNO = 0x00050000
EPERM, EACCES, ENOTTY, ENOSYS = 1, 13, 25, 38
SET_MODE_FILTER = 1

NEEDED = (
    "read write close close_range fstat newfstatat lseek munmap brk mremap madvise rt_sigaction rt_sigprocmask "
    "rt_sigreturn sigaltstack getdents64 readlink readlinkat access faccessat faccessat2 stat lstat statx getcwd "
    "dup dup2 dup3 futex nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getrusage "
    "getrandom getpid gettid getppid getuid geteuid getgid getegid getgroups getpgrp getpgid getsid uname sysinfo "
    "sched_yield sched_getaffinity select pselect6 poll ppoll exit exit_group restart_syscall set_robust_list rseq "
    "pread64 readv writev getrlimit"
).split()
"""Memory, clocks, what is open already, looking at names, its own signals."""

NOBODY_NEEDS = (
    # other processes: making, replacing, reading, signalling, scheduling them
    "clone clone3 fork vfork execve execveat ptrace process_vm_readv process_vm_writev process_madvise kcmp kill tkill "
    "rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_getfd pidfd_send_signal setpgid setsid sched_setaffinity "
    "sched_setscheduler sched_setattr setpriority setrlimit "
    # talking: network, queues, shared memory, pipes
    "socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg mq_open "
    "msgget semget shmget memfd_create pipe pipe2 splice tee vmsplice sendfile "
    # changing files
    "creat unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir link linkat symlink symlinkat chmod fchmod "
    "fchmodat chown fchown lchown fchownat truncate ftruncate mknod mknodat utimensat setxattr open_by_handle_at "
    "chdir fchdir inotify_init1 fanotify_init "
    # the machine, and getting out
    "mount umount2 pivot_root chroot unshare setns setuid setgid setresuid setresgid capset personality bpf "
    "perf_event_open io_uring_setup userfaultfd keyctl add_key request_key timer_create reboot seccomp "
    "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
).split()

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The machine as the filter sees it: linux/audit.h."""
_X32_BIT = 0x40000000
"""On x86-64, numbers from here on are a second table of the same calls."""
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
"""Write-only, read-write, create, truncate, append, temporary file: asm-generic/fcntl.h."""
_PROT_EXEC = 4
_DESCRIPTOR_QUERIES = (1, 2, 3, 1030)
"""F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC. F_SETOWN would send signals to any process."""

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
Instruction = tuple[int, int, int, int]


def assemble(machine: str, *, opens: bool) -> list[Instruction]:
    """The filter of one machine, as (operation, jump if true, jump if false, operand).

    Args:
        machine: a key of `syscalls.NUMBERS`.
        opens: whether files may be opened for reading; which ones is Landlock's to say.
    """
    numbers = syscalls.NUMBERS[machine]
    code: list[Instruction] = [
        (_LOAD, 0, 0, _MACHINE),
        (_JUMP_EQUAL, 1, 0, _AUDIT[machine]),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        code += [(_JUMP_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, KILL)]
    for name in NEEDED:
        code += _answer(numbers, name, [(_RETURN, 0, 0, ALLOW)])
    for name in NOBODY_NEEDS:
        code += _answer(numbers, name, [(_RETURN, 0, 0, KILL)])
    for name, steps in _looked_into(opens=opens).items():
        code += _answer(numbers, name, steps)
    return [*code, (_RETURN, 0, 0, ERRNO | ENOSYS)]


def _looked_into(*, opens: bool) -> dict[str, list[Instruction]]:
    """Calls whose answer depends on their arguments. A branch that decides nothing falls to the next instruction."""
    allow, kill = (_RETURN, 0, 0, ALLOW), (_RETURN, 0, 0, KILL)
    refuse_access, refuse = (_RETURN, 0, 0, ERRNO | EACCES), (_RETURN, 0, 0, ERRNO | EPERM)
    reading = allow if opens else refuse_access

    def opening(place: int) -> list[Instruction]:
        return [_low(place), (_JUMP_ANY_BIT, 0, 1, _WRITING), kill, reading]

    mapping = [_low(2), (_JUMP_ANY_BIT, 0, 1, _PROT_EXEC), refuse_access, allow]
    queries = [_low(1)]
    for one in _DESCRIPTOR_QUERIES:
        queries += [(_JUMP_EQUAL, 0, 1, one), allow]
    return {
        "openat": opening(2),
        "open": opening(1),
        "mmap": mapping,
        "mprotect": mapping,
        "fcntl": [*queries, refuse],
        "ioctl": [(_RETURN, 0, 0, ERRNO | ENOTTY)],
        "tgkill": [refuse],  # abort() tries it first, and then ends the process another way
        # reading a limit passes no new one: both halves of the pointer are zero
        "prlimit64": [_low(2), (_JUMP_EQUAL, 1, 0, 0), kill, _high(2), (_JUMP_EQUAL, 1, 0, 0), kill, allow],
    }  # fmt: skip


def _low(place: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * place)  # both machines are little-endian


def _high(place: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * place + 4)


def _answer(
    numbers: Mapping[str, int], name: str, steps: Sequence[Instruction]
) -> list[Instruction]:
    """Those steps for that call, every one of which ends in a return; nothing where the machine has no such call."""
    if name not in numbers:
        return []
    return [(_JUMP_EQUAL, 0, len(steps), numbers[name]), *steps]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


class Filter:
    """The filter of this machine, ready to be laid on a process.

    Raises:
        MissingError: on construction, on a machine without a table.
    """

    def __init__(self, *, opens: bool) -> None:
        code = assemble(syscalls.machine(), opens=opens)
        self._packed = b"".join(struct.pack("=HBBI", *one) for one in code)
        self._program = _Program(len(code), self._packed)

    def lay(self) -> None:
        """On this process, for good. Needs `PR_SET_NO_NEW_PRIVS`.

        Raises:
            MissingError: the kernel has no filters.
        """
        syscalls.call("seccomp", SET_MODE_FILTER, 0, ctypes.byref(self._program))
