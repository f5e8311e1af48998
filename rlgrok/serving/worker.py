"""A judging process: reads requests from standard input and writes answers to standard output, one after another.

    python -m rlgrok.serving.worker '{"limits": {...}, "strict": false}'

It ends when its input does, so it cannot outlive the service. Ctrl-C is not for it: the service starts it in a
process group of its own and closes its input when every answer is out.
"""

from __future__ import annotations

import json
import os
import sys
from typing import BinaryIO

from rlgrok.serving.answers import answer, warm_up
from rlgrok.serving.frames import READY, REQUEST, pack_answer
from rlgrok.serving.limits import Limits


def main(argument: str) -> None:
    """Answer until the input ends.

    Args:
        argument: the settings as JSON.
    """
    settings = json.loads(argument)
    limits = Limits(**settings["limits"])
    with (
        os.fdopen(os.dup(0), "rb") as requests,
        os.fdopen(os.dup(1), "wb", buffering=0) as answers,
    ):
        os.dup2(2, 1)  # whatever else is printed is for people
        warm_up()
        _write(answers, READY)
        while head := requests.read(REQUEST.size):
            body = requests.read(REQUEST.unpack(head)[0])
            _write(answers, pack_answer(answer(body, limits, strict=settings["strict"])))


def _write(stream: BinaryIO, data: bytes) -> None:
    """All of it; an unbuffered pipe may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BrokenPipeError:
        os._exit(0)  # the service has gone, and nobody is left to tell
