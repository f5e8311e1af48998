"""A judging process: reads requests from standard input and writes answers to standard output, one after another.

    python -m rlgrok.serving.worker '{"limits": {...}, "scope": "manufactoria", "strict": false, "level": "full"}'

It ends when its input does, so it cannot outlive the service. Ctrl-C is not for it: the service starts it in a
process group of its own and closes its input when every answer is out.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from rlgrok.serving import BOUNCINGSIM
from rlgrok.serving.frames import READY, REQUEST, pack_answer
from rlgrok.serving.limits import Limits
from rlgrok.serving.messages import Answer


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
        with _judging(settings, limits) as answer:
            _write(answers, READY)
            while head := requests.read(REQUEST.size):
                body = requests.read(REQUEST.unpack(head)[0])
                _write(answers, pack_answer(answer(body)))


@contextmanager
def _judging(settings: Mapping[str, Any], limits: Limits) -> Iterator[Callable[[bytes], Answer]]:
    """What answers a request of a scope; only that scope's code is loaded."""
    if settings["scope"] == BOUNCINGSIM:
        from rlgrok.sandbox.pool import Sandbox
        from rlgrok.serving import programs

        with Sandbox(workers=1, level=settings["level"]) as sandbox:
            yield lambda body: programs.answer(body, limits, sandbox)
        return
    from rlgrok.serving import answers

    answers.warm_up()
    yield lambda body: answers.answer(body, limits, strict=settings["strict"])


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
