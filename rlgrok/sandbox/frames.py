"""How the sandbox and its zygote talk: frames of a length and bytes, over a socket that only the two hold.

What a program reports is not among these: that is lines of JSON, which only the parent reads, and does not trust.
Standard library alone: the zygote imports this.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("!I")
HEAD = struct.Struct("!III")
"""Of an answer: lengths of the facts, the report, the printed text."""


def pack(request: dict[str, Any]) -> bytes:
    """A request, as JSON in ASCII.

    Raises:
        ValueError: not JSON: a number that is not finite, or a circle.
        TypeError: not JSON: another type.
    """
    body = json.dumps(request, allow_nan=False).encode("ascii")
    return _LENGTH.pack(len(body)) + body


def receive(peer: socket.socket) -> bytes | None:
    """The body of the next request; None when the other side is gone."""
    head = _exactly(peer, _LENGTH.size)
    return None if head is None else _exactly(peer, *_LENGTH.unpack(head))


def answer(facts: dict[str, Any], report: bytes, printed: bytes) -> bytes:
    """What became of a request."""
    body = json.dumps(facts).encode("ascii")
    return b"".join([HEAD.pack(len(body), len(report), len(printed)), body, report, printed])


def _exactly(peer: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            return None
        data += more
    return bytes(data)
