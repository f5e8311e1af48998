"""Reading the body of a request within limits: enforced while it arrives, not after.

A client that sends too much is heard out for a while, unread, before it is told: most clients read no answer while
they are sending, and would only see a broken connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect, Request

from rlgrok.serving.limits import LimitError, Limits

HEAR_OUT_S = 2.0


class BodyTimeoutError(Exception):
    """The body did not arrive in time."""


class NoRoomError(Exception):
    """The service holds as many bytes, or as many requests, as it may."""


class Room:
    """What the service holds at one time: requests, and bytes of their bodies.

    Args:
        limits: the bounds.
    """

    def __init__(self, limits: Limits) -> None:
        self.num_requests = 0
        self.num_bytes = 0
        self._limits = limits

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place for one request and its body.

        Raises:
            NoRoomError: there are as many requests as may be.
        """
        if self.num_requests >= self._limits.max_queue:
            raise NoRoomError
        place = Place(self, self._limits.max_held_bytes)
        self.num_requests += 1
        try:
            yield place
        finally:
            self.num_requests -= 1
            self.num_bytes -= place.num_bytes


class Place:
    """The share of one request."""

    def __init__(self, room: Room, most: int) -> None:
        self.num_bytes = 0
        self._room, self._most = room, most

    def take(self, size: int) -> None:
        """Make room for so many more bytes.

        Raises:
            NoRoomError: there is none.
        """
        if self._room.num_bytes + size > self._most:
            raise NoRoomError
        self._room.num_bytes += size
        self.num_bytes += size


async def read_body(request: Request, place: Place, limits: Limits) -> bytes:
    """The whole body.

    Raises:
        LimitError: it is larger than allowed.
        BodyTimeoutError: it took too long.
        NoRoomError: all requests together are larger than allowed.
        ClientDisconnect: nobody is there any more.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.max_body_bytes:
        if request.headers.get("expect", "").lower() != "100-continue":
            await _hear_out(request)
        raise _too_large(int(declared), limits)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.max_body_bytes:
                    break
                place.take(len(chunk))
                chunks.append(chunk)
    except TimeoutError as error:
        raise BodyTimeoutError from error
    if size > limits.max_body_bytes:
        chunks.clear()
        await _hear_out(request)
        raise _too_large(size, limits)
    return b"".join(chunks)


def _too_large(size: int, limits: Limits) -> LimitError:
    return LimitError((), "the request is too large", size, limits.max_body_bytes, "bytes")


async def _hear_out(request: Request) -> None:
    """Drop what still comes, for a while."""
    try:
        async with asyncio.timeout(HEAR_OUT_S):
            while (await request.receive()).get("more_body", False):
                pass
    except (TimeoutError, ClientDisconnect):
        return
