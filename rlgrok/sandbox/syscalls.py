"""System calls that Python has no function for, on x86-64 and 64-bit ARM, and the numbers of those it has.

Standard library alone: the zygote imports this.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_CAPABILITY_VERSION_3 = 0x20080522

# Numbers of linux/unistd.h: asm/unistd_64.h for x86-64, asm-generic/unistd.h for ARM. A name that is absent on one
# machine is a call that this machine does not have.
NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {
        "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
        "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14,
        "rt_sigreturn": 15, "ioctl": 16, "pread64": 17, "readv": 19, "writev": 20, "access": 21, "pipe": 22,
        "select": 23, "sched_yield": 24, "mremap": 25, "madvise": 28, "shmget": 29, "dup": 32, "dup2": 33,
        "nanosleep": 35, "getpid": 39, "sendfile": 40, "socket": 41, "connect": 42, "accept": 43, "sendto": 44,
        "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "bind": 49, "listen": 50, "socketpair": 53, "clone": 56,
        "fork": 57, "vfork": 58, "execve": 59, "exit": 60, "kill": 62, "uname": 63, "semget": 64, "msgget": 68,
        "fcntl": 72, "truncate": 76, "ftruncate": 77, "getcwd": 79, "chdir": 80, "fchdir": 81, "rename": 82,
        "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "readlink": 89, "chmod": 90,
        "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "gettimeofday": 96, "getrlimit": 97, "getrusage": 98,
        "sysinfo": 99, "times": 100, "ptrace": 101, "getuid": 102, "getgid": 104, "setuid": 105, "setgid": 106,
        "geteuid": 107, "getegid": 108, "setpgid": 109, "getppid": 110, "getpgrp": 111, "setsid": 112,
        "getgroups": 115, "setresuid": 117, "setresgid": 119, "getpgid": 121, "getsid": 124, "capset": 126,
        "rt_sigqueueinfo": 129, "sigaltstack": 131, "mknod": 133, "personality": 135, "setpriority": 141,
        "sched_setscheduler": 144, "pivot_root": 155, "setrlimit": 160, "chroot": 161, "mount": 165, "umount2": 166,
        "reboot": 169, "gettid": 186, "setxattr": 188, "tkill": 200, "time": 201, "futex": 202,
        "sched_setaffinity": 203, "sched_getaffinity": 204, "getdents64": 217, "restart_syscall": 219,
        "timer_create": 222, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231,
        "tgkill": 234, "mq_open": 240, "add_key": 248, "request_key": 249, "keyctl": 250, "openat": 257,
        "mkdirat": 258, "mknodat": 259, "fchownat": 260, "newfstatat": 262, "unlinkat": 263, "renameat": 264,
        "linkat": 265, "symlinkat": 266, "readlinkat": 267, "fchmodat": 268, "faccessat": 269, "pselect6": 270,
        "ppoll": 271, "unshare": 272, "set_robust_list": 273, "splice": 275, "tee": 276, "vmsplice": 278,
        "utimensat": 280, "accept4": 288, "dup3": 292, "pipe2": 293, "inotify_init1": 294, "rt_tgsigqueueinfo": 297,
        "perf_event_open": 298, "recvmmsg": 299, "fanotify_init": 300, "prlimit64": 302, "open_by_handle_at": 304,
        "sendmmsg": 307, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
        "sched_setattr": 314, "renameat2": 316, "seccomp": 317, "getrandom": 318, "memfd_create": 319, "bpf": 321,
        "execveat": 322, "userfaultfd": 323, "statx": 332, "rseq": 334, "pidfd_send_signal": 424,
        "io_uring_setup": 425, "pidfd_open": 434, "clone3": 435, "close_range": 436, "pidfd_getfd": 438,
        "faccessat2": 439,
        "process_madvise": 440, "landlock_create_ruleset": 444, "landlock_add_rule": 445,
        "landlock_restrict_self": 446,
    },
    "aarch64": {
        "setxattr": 5, "getcwd": 17, "dup": 23, "dup3": 24, "fcntl": 25, "inotify_init1": 26, "ioctl": 29,
        "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38, "umount2": 39,
        "mount": 40, "pivot_root": 41, "truncate": 45, "ftruncate": 46, "faccessat": 48, "chdir": 49, "fchdir": 50,
        "chroot": 51, "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "openat": 56, "close": 57,
        "pipe2": 59, "getdents64": 61, "lseek": 62, "read": 63, "write": 64, "readv": 65, "writev": 66,
        "pread64": 67, "sendfile": 71, "pselect6": 72, "ppoll": 73, "vmsplice": 75, "splice": 76, "tee": 77,
        "readlinkat": 78, "newfstatat": 79, "fstat": 80, "utimensat": 88, "capset": 91, "personality": 92,
        "exit": 93, "exit_group": 94, "unshare": 97, "futex": 98, "set_robust_list": 99, "nanosleep": 101,
        "timer_create": 107, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "ptrace": 117,
        "sched_setscheduler": 119, "sched_setaffinity": 122, "sched_getaffinity": 123, "sched_yield": 124,
        "restart_syscall": 128, "kill": 129, "tkill": 130, "tgkill": 131, "sigaltstack": 132, "rt_sigaction": 134,
        "rt_sigprocmask": 135, "rt_sigqueueinfo": 138, "rt_sigreturn": 139, "setpriority": 140, "reboot": 142,
        "setgid": 144, "setuid": 146, "setresuid": 147, "setresgid": 149, "times": 153, "setpgid": 154,
        "getpgid": 155, "getsid": 156, "setsid": 157, "getgroups": 158, "uname": 160, "getrlimit": 163,
        "setrlimit": 164, "getrusage": 165, "gettimeofday": 169, "getpid": 172, "getppid": 173, "getuid": 174,
        "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178, "sysinfo": 179, "mq_open": 180, "msgget": 186,
        "semget": 190, "shmget": 194, "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202,
        "connect": 203, "sendto": 206, "recvfrom": 207, "sendmsg": 211, "recvmsg": 212, "brk": 214, "munmap": 215,
        "mremap": 216, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "execve": 221, "mmap": 222,
        "mprotect": 226, "madvise": 233, "rt_tgsigqueueinfo": 240, "perf_event_open": 241, "accept4": 242,
        "recvmmsg": 243, "prlimit64": 261, "fanotify_init": 262, "open_by_handle_at": 265, "setns": 268,
        "sendmmsg": 269, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "sched_setattr": 274,
        "renameat2": 276, "seccomp": 277, "getrandom": 278, "memfd_create": 279, "bpf": 280, "execveat": 281,
        "userfaultfd": 282, "statx": 291, "rseq": 293, "pidfd_send_signal": 424, "io_uring_setup": 425,
        "pidfd_open": 434, "clone3": 435, "close_range": 436, "pidfd_getfd": 438,
        "faccessat2": 439, "process_madvise": 440,
        "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
    },
}  # fmt: skip


class MissingError(Exception):
    """The kernel refused, or this machine has no number for it."""


def machine() -> str:
    """The key of `NUMBERS` for this machine.

    Raises:
        MissingError: not Linux, or another processor.
    """
    name = os.uname().machine
    if sys.platform != "linux" or name not in NUMBERS or sys.maxsize < 1 << 32:
        raise MissingError(f"no table of system calls for {sys.platform} on {name}")
    return name


_LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> int:
    """One system call by its name; integers are passed as 64 bits, objects of ctypes by reference.

    Raises:
        MissingError: it failed; the text is the kernel's reason.
    """
    number = NUMBERS[machine()][name]
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = _LIBC.syscall(ctypes.c_long(number), *given)
    if result < 0:
        raise MissingError(f"{name}: {os.strerror(ctypes.get_errno())}")
    return int(result)


def prctl(option: int, value: int) -> None:
    """Change one property of this process.

    Raises:
        MissingError: refused.
    """
    zero = ctypes.c_ulong(0)
    if _LIBC.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero) != 0:
        raise MissingError(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def drop_capabilities() -> None:
    """Give up what root may do beyond owning its files. Cannot be undone under `PR_SET_NO_NEW_PRIVS`.

    Raises:
        MissingError: refused.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    call("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))
