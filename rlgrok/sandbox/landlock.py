"""Landlock: a process that can read the standard library and nothing else, write nowhere, and signal nobody.

Kernel: Documentation/userspace-api/landlock.rst. Standard library alone: the zygote imports this.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from rlgrok.sandbox import syscalls

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILES_OF_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights about files each version knows, from bit 0 on; later versions know those of 5."""
_NETWORK, _NETWORK_ABI = 0b11, 4
"""Binding and connecting TCP sockets."""
_SCOPES, _SCOPES_ABI = 0b11, 6
"""Abstract Unix sockets and signals, to processes outside."""
_PATH_BENEATH = 1
_VERSION_FLAG = 1
_FOREIGN = ("site-packages", "dist-packages")
"""Folders inside the standard library's that are not of it."""


def version() -> int:
    """The version of Landlock that this kernel has.

    Raises:
        MissingError: none.
    """
    return syscalls.call("landlock_create_ruleset", None, 0, _VERSION_FLAG)


class Ruleset:
    """What may be read, ready to be laid on processes. Holds one file descriptor.

    Args:
        folders: of modules; what others have installed inside them is left out.

    Raises:
        MissingError: on construction, without Landlock.
    """

    def __init__(self, folders: list[str]) -> None:
        abi = version()
        files = (1 << _FILES_OF_ABI[min(abi, max(_FILES_OF_ABI))]) - 1
        network = _NETWORK if abi >= _NETWORK_ABI else 0
        scopes = _SCOPES if abi >= _SCOPES_ABI else 0
        handled = struct.pack("=QQQ", files, network, scopes)
        size = 24 if abi >= _SCOPES_ABI else 16 if abi >= _NETWORK_ABI else 8
        self.descriptor = syscalls.call("landlock_create_ruleset", handled, size, 0)
        os.set_inheritable(self.descriptor, False)
        for folder in map(Path, folders):
            if not folder.is_dir():  # the zip file that Python looks for and rarely has
                continue
            self._allow(folder, _READ_DIR)
            for entry in folder.iterdir():
                if entry.name not in _FOREIGN:
                    self._allow(entry, _READ_FILE)

    def lay(self) -> None:
        """On this process, for good. Needs `PR_SET_NO_NEW_PRIVS`.

        Raises:
            MissingError: refused.
        """
        syscalls.call("landlock_restrict_self", self.descriptor, 0)

    def _allow(self, path: Path, rights: int) -> None:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = struct.pack("=Qi", rights, place)
            syscalls.call("landlock_add_rule", self.descriptor, _PATH_BENEATH, rule, 0)
        finally:
            os.close(place)
