"""The bytes between the service and a worker: length-prefixed frames over its standard streams.

A request is its length and its body. An answer is its status, the place of its outcome in `OUTCOMES`, its length and
its body. A worker says that it is ready by an answer with status 0.
"""

from __future__ import annotations

import struct

from rlgrok.serving.messages import Answer, Outcome

REQUEST = struct.Struct(">I")
ANSWER = struct.Struct(">HBI")
OUTCOMES = tuple(Outcome)
READY = ANSWER.pack(0, 0, 0)


def pack_request(body: bytes) -> bytes:
    """A request as one frame."""
    return REQUEST.pack(len(body)) + body


def pack_answer(answer: Answer) -> bytes:
    """An answer as one frame."""
    head = ANSWER.pack(answer.status, OUTCOMES.index(answer.outcome), len(answer.body))
    return head + answer.body
