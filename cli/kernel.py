"""What this kernel offers for locking programs in: plain facts, each found by asking the kernel.

What it does not say: whether a sandbox built on them is safe.
"""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

LANDLOCK_CREATE_RULESET = 444
"""System call number, the same on every architecture that has it."""
LANDLOCK_VERSION_FLAG = 1
CLONE_NEWUSER = 0x10000000


def features() -> dict[str, Any]:
    """Kernel release, Landlock ABI, seccomp filters, user namespaces; None where the kernel has none."""
    return {
        "kernel": platform.release(),
        "landlock_abi": landlock_abi(),
        "seccomp_actions": seccomp_actions(),
        "user_namespaces": user_namespaces(),
    }


def landlock_abi() -> int | None:
    """Landlock's ABI version; None when it is absent or switched off."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(
        LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(LANDLOCK_VERSION_FLAG)
    )
    return int(version) if version > 0 else None


def seccomp_actions() -> list[str] | None:
    """What a seccomp filter may do to a system call; None without filters."""
    try:
        return Path("/proc/sys/kernel/seccomp/actions_avail").read_text().split()
    except OSError:
        return None


def user_namespaces() -> bool:
    """Whether this user may make one: tried in a child, because some systems list them and refuse."""
    if sys.platform != "linux":
        return False
    code = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall({_unshare_number()}, {CLONE_NEWUSER}) != 0)"
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-c", code], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return child.returncode == 0


def _unshare_number() -> int:
    return {"x86_64": 272, "aarch64": 97}.get(os.uname().machine, 97)
