"""Reading a body: limits hold while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from rlgrok.serving.body import BodyTimeoutError, NoRoomError, Room, read_body
from rlgrok.serving.limits import LimitError, Limits

SMALL = Limits(max_body_bytes=100, max_held_bytes=150, max_queue=2, body_timeout_s=0.05)


class Sender:
    """A client as the server sees it: chunks, then silence or a hang-up."""

    def __init__(
        self, chunks: Iterable[bytes], *, ends: bool = True, hangs_up: bool = False
    ) -> None:
        self.chunks, self.ends, self.hangs_up = list(chunks), ends, hangs_up
        self.num_read = 0

    async def receive(self) -> dict[str, Any]:
        if self.num_read < len(self.chunks):
            chunk = self.chunks[self.num_read]
            self.num_read += 1
            more = self.num_read < len(self.chunks) or not self.ends
            return {"type": "http.request", "body": chunk, "more_body": more}
        if self.hangs_up:
            return {"type": "http.disconnect"}
        await asyncio.sleep(60)
        raise AssertionError("waited for ever")


def read(sender: Sender, room: Room | None = None, **headers: str) -> bytes:
    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": pairs}

    async def work() -> bytes:
        with (room or Room(SMALL)).place() as place:
            return await read_body(Request(scope, sender.receive), place, SMALL)

    return asyncio.run(work())


def test_chunks_are_joined() -> None:
    assert read(Sender([b"ab", b"", b"c"])) == b"abc"


def test_a_declared_size_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(LimitError, match="got 5000 bytes, limit 100 bytes"):
        read(Sender([b"x" * 50] * 100), content_length="5000")


def test_a_client_that_waits_for_permission_is_not_read_at_all() -> None:
    sender = Sender([b"x"])
    with pytest.raises(LimitError):
        read(sender, content_length="5000", expect="100-continue")
    assert sender.num_read == 0


def test_an_undeclared_size_is_refused_while_it_arrives() -> None:
    sender = Sender([b"x" * 60] * 1000)
    room = Room(SMALL)
    with pytest.raises(LimitError, match="got 120 bytes"):
        read(sender, room)
    assert sender.num_read == 1000, "the rest is heard out, unread"
    assert (room.num_bytes, room.num_requests) == (0, 0)


def test_a_slow_body_is_given_up() -> None:
    with pytest.raises(BodyTimeoutError):
        read(Sender([b"x"], ends=False))


def test_a_hang_up_is_told_apart() -> None:
    with pytest.raises(ClientDisconnect):
        read(Sender([b"x"], ends=False, hangs_up=True))


def test_all_bodies_together_are_bounded_and_room_comes_back() -> None:
    room = Room(SMALL)
    with room.place() as other:
        other.take(100)
        with pytest.raises(NoRoomError):
            read(Sender([b"x" * 60]), room)
        assert room.num_bytes == 100
        assert read(Sender([b"x" * 50]), room) == b"x" * 50
    assert (room.num_bytes, room.num_requests) == (0, 0)


def test_the_number_of_requests_is_bounded() -> None:
    room = Room(SMALL)
    with room.place(), room.place(), pytest.raises(NoRoomError), room.place():
        pass
    assert room.num_requests == 0
