"""The service as an ASGI application: the two routes of the reference, and two of ours.

    GET  /health         {"status": "healthy"}, whenever the process answers at all
    POST /test_solution  the verdict on a Manufactoria program
    POST /test_program   or the verdict on a BouncingSim program: a service has one scope
    GET  /ready          200 while there are workers, 503 while there are none or the service is stopping
    GET  /metrics        Prometheus text

`/openapi.json` describes them. What surprises: a request is decoded and validated in the worker, not here, so that
one process can feed many and no body can hold it up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rlgrok.serving import BOUNCINGSIM, MANUFACTORIA
from rlgrok.serving.body import BodyTimeoutError, NoRoomError, Room, read_body
from rlgrok.serving.limits import LimitError, Limits
from rlgrok.serving.metrics import CONTENT_TYPE, Metrics
from rlgrok.serving.pool import (
    ATTEMPTS,
    JudgePool,
    JudgeTimeoutError,
    NoWorkerError,
    WorkerCrashError,
)
from rlgrok.serving.schema import (
    ProgramRequest,
    ProgramResponse,
    SolutionRequest,
    SolutionResponse,
)

ROUTES: Mapping[str, tuple[str, type[BaseModel], type[BaseModel]]] = {
    MANUFACTORIA: ("/test_solution", SolutionRequest, SolutionResponse),
    BOUNCINGSIM: ("/test_program", ProgramRequest, ProgramResponse),
}
"""By scope, where programs are judged, and the bodies of request and response."""
PATHS = ("/health", "/ready", "/metrics", "/openapi.json")
CLIENT_GONE = 499
"""What a request counts as whose sender hung up; nobody receives it."""
_CLOSE = {"connection": "close"}  # what is left of the body is not read
_RETRY = {"retry-after": "1"}


@dataclass(frozen=True)
class Answered:
    """One request, for a log."""

    method: str
    path: str
    status: int
    seconds: float
    client: str


@dataclass
class Service:
    """What the routes share."""

    pool: JudgePool
    limits: Limits
    metrics: Metrics
    room: Room
    scope: str = MANUFACTORIA
    is_stopping: bool = False

    @classmethod
    def around(cls, pool: JudgePool, limits: Limits, scope: str = MANUFACTORIA) -> Service:
        """A service with empty counters."""
        metrics = Metrics((ROUTES[scope][0], *PATHS))
        return cls(pool, limits, metrics, Room(limits), scope)

    def gauges(self) -> dict[str, tuple[str, float]]:
        """What is true at this moment."""
        pool = self.pool
        return {
            "toolkit_requests_in_flight": ("Requests read or judged.", self.metrics.num_in_flight),
            "toolkit_queue_depth": ("Requests that wait for a worker.", pool.num_waiting),
            "toolkit_held_bytes": ("Bodies held.", self.room.num_bytes),
            "toolkit_workers": ("Workers alive.", pool.num_alive),
            "toolkit_workers_busy": ("Workers with a request.", pool.num_busy),
            "toolkit_worker_restarts_total": ("Workers replaced.", pool.num_restarts),
        }


def create_app(
    service: Service, *, on_answered: Callable[[Answered], None] | None = None
) -> FastAPI:
    """The application.

    Args:
        service: its pool must be running while requests come in.
        on_answered: called after every request.
    """
    # No page of documentation: FastAPI's loads its scripts from the network.
    path, asked, answered = ROUTES[service.scope]
    title = f"{service.scope} verification"
    app = FastAPI(title=title, docs_url=None, redoc_url=None)
    app.add_middleware(Observed, metrics=service.metrics, on_answered=on_answered)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/ready")
    async def ready() -> JSONResponse:
        if service.is_stopping or not service.pool.num_alive:
            words = "stopping" if service.is_stopping else "no workers"
            return JSONResponse({"status": words}, 503, headers=_RETRY)
        return JSONResponse({"status": "ready"})

    @app.get("/metrics")
    async def metrics() -> PlainTextResponse:
        page = service.metrics.render(service.gauges())
        return PlainTextResponse(page, media_type=CONTENT_TYPE)

    @app.post(
        path,
        response_model=answered,
        response_model_exclude_none=True,
        openapi_extra=_documented(asked),
    )
    async def verdict(request: Request) -> Response:
        return await _answer(service, request)

    return app


async def _answer(service: Service, request: Request) -> Response:
    """Read, judge, and say what went wrong where something did."""
    limits = service.limits
    try:
        with service.room.place() as place:
            body = await read_body(request, place, limits)
            refusal = _refused_type(request)
            if body and refusal is not None:
                return refusal
            answer = await service.pool.ask(body)
    except LimitError as error:
        return JSONResponse({"detail": error.as_detail()}, 413, headers=_CLOSE)
    except BodyTimeoutError:
        return _problem(408, f"the body did not arrive within {limits.body_timeout_s:g} s", _CLOSE)
    except NoRoomError:
        return _problem(503, "too many requests at one time", {**_RETRY, **_CLOSE})
    except NoWorkerError:
        words = f"no worker became free within {limits.queue_timeout_s:g} s"
        return _problem(503, words, _RETRY)
    except JudgeTimeoutError:
        return _problem(504, f"judging took longer than {limits.judge_timeout_s:g} s")
    except WorkerCrashError:
        return _problem(500, f"the judging process died {ATTEMPTS} times on this request")
    except ClientDisconnect:
        return Response(status_code=CLIENT_GONE)
    except asyncio.CancelledError:
        if not service.is_stopping:
            raise
        return _problem(503, "the service is stopping", _CLOSE)  # the grace period is over
    service.metrics.count_outcome(answer.outcome)
    return Response(answer.body, answer.status, media_type="application/json")


def _refused_type(request: Request) -> JSONResponse | None:
    """A 422 for a body that says it is no JSON; one that says nothing is taken for it."""
    named = request.headers.get("content-type", "application/json")
    kind = named.partition(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return None
    words = "Content-Type should be application/json"
    detail = {"type": "content_type", "loc": ["header", "content-type"], "msg": words}
    return JSONResponse({"detail": [{**detail, "input": named[:200]}]}, 422)


def _problem(status: int, words: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": words}, status, headers=headers)


def _documented(model: type[BaseModel]) -> dict[str, Any]:
    """The request body for `/openapi.json`, since the route takes it undecoded."""
    schema = model.model_json_schema()
    for inner in schema.pop("$defs", {}).values():
        schema["properties"]["test_cases"]["items"] = inner
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


class Observed:
    """Middleware: counts and times every request."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        on_answered: Callable[[Answered], None] | None,
    ) -> None:
        self._app, self._metrics, self._on_answered = app, metrics, on_answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and observe its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # of an exception, which the server answers

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        self._metrics.num_in_flight += 1
        try:
            await self._app(scope, receive, watch)
        finally:
            self._metrics.num_in_flight -= 1
            seconds = time.perf_counter() - started
            method, path = scope["method"], scope["path"]
            self._metrics.observe(method, path, status, seconds)
            if self._on_answered is not None:
                client = scope["client"][0] if scope.get("client") else "-"
                self._on_answered(Answered(method, path, status, seconds, client))
