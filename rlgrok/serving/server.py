"""Runs the application under uvicorn until a signal: the last answers go out, then it ends.

What is not guaranteed: a request that is still in the kernel's queue when the signal comes. A second signal ends it
at once, and so does the end of the grace period.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from rlgrok.serving import MANUFACTORIA
from rlgrok.serving.app import Answered, Service, create_app
from rlgrok.serving.limits import Limits
from rlgrok.serving.pool import JudgePool
from runtime.errors import ConfigError

BACKLOG = 4096
KEEP_ALIVE_S = 15
"""Idle connections are kept for so long; training clients come back within a step."""


@dataclass(frozen=True)
class Served:
    """How it went. `signal` is what ended it."""

    signal: signal.Signals | None
    num_requests: int
    by_status: dict[str, int] = field(default_factory=dict)
    num_worker_restarts: int = 0


def bind(host: str, port: int) -> socket.socket:
    """A socket on the address, not listening yet.

    Raises:
        ConfigError: no such host, or the port is taken or not allowed.
    """
    where = "--host" if port == 0 else "--port"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError("no such host", got=host, where="--host") from error
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as error:
        made.close()
        raise ConfigError(
            f"cannot listen there: {error.strerror}",
            got=f"{host}:{port}",
            where=where,
            hint="another service may have the port: --port 0 takes a free one",
        ) from error
    return made


def address_of(made: socket.socket) -> str:
    """The address of a bound socket as a URL."""
    host, port = made.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    made: socket.socket,
    *,
    num_workers: int,
    limits: Limits,
    scope: str = MANUFACTORIA,
    strict: bool = False,
    grace_s: int = 30,
    on_ready: Callable[[], None] = lambda: None,
    on_answered: Callable[[Answered], None] | None = None,
) -> Served:
    """Serve until SIGINT or SIGTERM.

    Args:
        made: bound; closed at the end.
        num_workers: judging processes.
        limits: of requests.
        scope: whose programs; one of `ROUTES` of the application.
        strict: as in `machine.run`; Manufactoria's.
        grace_s: how long requests may go on after the signal.
        on_ready: called when requests are answered.
        on_answered: called after every request.

    Raises:
        InfrastructureError: a worker does not start.
    """
    pool = JudgePool(num_workers, limits, scope=scope, strict=strict)
    service = Service.around(pool, limits, scope)
    work = _serve(made, service, grace_s, on_ready, on_answered)
    with made:
        return asyncio.run(work)


async def _serve(
    made: socket.socket,
    service: Service,
    grace_s: int,
    on_ready: Callable[[], None],
    on_answered: Callable[[Answered], None] | None,
) -> Served:
    pool, limits = service.pool, service.limits
    config = uvicorn.Config(
        create_app(service, on_answered=on_answered),
        http=_patient(limits.body_timeout_s),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=grace_s,
    )
    server = _Server(config, service, on_ready)
    with server.signals():
        async with pool:
            await server.serve(sockets=[made])
    metrics = service.metrics
    return Served(server.ended_by, metrics.num_requests, metrics.by_status, pool.num_restarts)


class _Server(uvicorn.Server):
    """uvicorn with our signals: its own would be raised once more at the end, and the exit code is the caller's."""

    def __init__(
        self, config: uvicorn.Config, service: Service, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self.ended_by: signal.Signals | None = None
        self._service, self._on_ready = service, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Take the signals over, from before the workers start until they have ended."""
        caught = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._on_signal) for number in caught}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: `signals` has them."""
        yield

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
            return
        self.ended_by = signal.Signals(number)
        self._service.is_stopping = True
        self.should_exit = True


def _patient(head_timeout_s: float) -> type[H11Protocol]:
    """uvicorn's protocol, but a connection whose request head does not arrive in time is closed.

    uvicorn only ends connections that are idle after an answer: a client that connects and sends nothing, or one byte
    a minute, would be kept for ever.
    """

    class PatientProtocol(H11Protocol):
        _head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget_head()
            super().connection_lost(exc)

        def _watch_head(self) -> None:
            """Run the timer exactly while a head is awaited or half here."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._forget_head()
            elif self._head_timer is None and not self.transport.is_closing():
                self._head_timer = self.loop.call_later(head_timeout_s, self._give_up)

        def _forget_head(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _give_up(self) -> None:
            self._head_timer = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return PatientProtocol
