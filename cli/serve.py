"""`toolkit rl serve`: the verification API over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.completion import complete_scope

if TYPE_CHECKING:
    from rlgrok.serving.app import Answered

EPILOG = (
    "Examples:\n\n"
    "- `toolkit rl serve` listens on 127.0.0.1:1235, the reference's port\n"
    "- `toolkit rl serve --host 0.0.0.0 --port 2345 --workers 40`\n"
    "- `toolkit rl serve --scope bouncingsim` on port 1234; Python programs, each in the sandbox\n"
    "- `curl -H 'Content-Type: application/json' -d @request.json localhost:1235/test_solution`\n\n"
    "`POST /test_solution` judges (bouncingsim: `/test_program`), `GET /health` and `/ready` answer, "
    "`GET /metrics` counts (Prometheus), "
    "`GET /openapi.json` describes. Ctrl-C or SIGTERM answers what is in flight, then ends: exit code 130 or 0."
)
EXTRA_HINT = "pip install 'delta-toolkit[serve]'"
PORTS = {"manufactoria": 1235, "bouncingsim": 1234}
"""By scope, as the reference has them."""
_MIB = 1 << 20


def serve(
    scope: Annotated[
        str,
        typer.Option(
            help="Whose programs: manufactoria or bouncingsim.", autocompletion=complete_scope
        ),
    ] = "manufactoria",
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 is every one.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port; 0 takes a free one.  [default: the reference's: 1235, bouncingsim 1234]",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Judging processes.  [default: one a core]")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="manufactoria: read the target END as the END node.")
    ] = False,
    max_program: Annotated[
        int, typer.Option(min=1, metavar="CHARACTERS", help="Longest program.")
    ] = 100_000,
    max_tests: Annotated[int, typer.Option(min=1, help="Most tests of a request.")] = 1_000,
    max_tape: Annotated[
        int, typer.Option(min=1, metavar="SYMBOLS", help="Longest tape of a test.")
    ] = 10_000,
    max_body: Annotated[
        int, typer.Option(min=1, max=1024, metavar="MIB", help="Largest request.")
    ] = 8,
    max_queue: Annotated[
        int, typer.Option(min=1, help="Most requests at one time; more get a 503.")
    ] = 10_000,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="For judging one request.")
    ] = 30.0,
    read_timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="For a request to arrive.")
    ] = 10.0,
    log_requests: Annotated[
        bool, typer.Option("--log-requests", help="One line a request on standard error.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not say where it listens.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output, at the end.")
    ] = False,
) -> None:
    """Judge programs over HTTP, as the benchmark's own verification server does."""
    import signal
    import sys

    from cli import errors, output
    from runtime.devices import usable_cpus
    from runtime.errors import ConfigError

    try:
        from rlgrok.serving.limits import Limits
        from rlgrok.serving.server import address_of, bind
        from rlgrok.serving.server import serve as run_server
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "uvicorn", "starlette", "pydantic", "h11"):
            raise
        raise ConfigError(
            "toolkit rl serve needs FastAPI and uvicorn",
            got=f"no module {error.name}",
            hint=EXTRA_HINT,
        ) from error

    _check(scope, strict=strict)
    limits = Limits(
        max_body_bytes=max_body * _MIB,
        max_program_chars=max_program,
        max_tests=max_tests,
        max_tape_symbols=max_tape,
        max_queue=max_queue,
        judge_timeout_s=timeout,
        body_timeout_s=read_timeout,
    )
    made = bind(host, PORTS[scope] if port is None else port)
    address = address_of(made)
    num_workers = workers or usable_cpus()
    words = f"{scope} on {address}, {num_workers} worker{'s' * (num_workers > 1)}"
    served = run_server(
        made,
        num_workers=num_workers,
        limits=limits,
        scope=scope,
        strict=strict,
        on_ready=lambda: None if quiet else output.say(f"serving {words}; Ctrl-C stops"),
        on_answered=_log if log_requests else None,
    )
    code = errors.INTERRUPTED if served.signal is signal.SIGINT else errors.DONE
    if not quiet:
        output.say(f"stopped after {served.num_requests} requests")
    if as_json:
        output.emit(
            {
                "command": "rl serve",
                "status": output.status(code),
                "run": None,
                "address": address,
                "num_requests": served.num_requests,
                "by_status": served.by_status,
                "num_worker_restarts": served.num_worker_restarts,
            }
        )
    sys.exit(code)


def _check(scope: str, *, strict: bool) -> None:
    """Refuse what cannot be served, before any process is started.

    Raises:
        ConfigError: no such scope, an option of another, or this machine cannot lock programs in.
    """
    from cli.problems import BOUNCINGSIM, find_scope
    from rlgrok.sandbox.naming import named_level
    from rlgrok.sandbox.pool import Sandbox
    from runtime.errors import ConfigError

    find_scope(scope)
    if scope == BOUNCINGSIM:
        if strict:
            raise ConfigError(
                "only Manufactoria programs have a strict reading",
                got=f"--strict --scope {scope}",
                where="--strict",
            )
        with Sandbox(workers=1, level=named_level()):
            pass


def _log(answered: Answered) -> None:
    from datetime import UTC, datetime

    from cli import output

    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    milliseconds = 1000 * answered.seconds
    path = answered.path.encode("unicode_escape").decode("ascii")[:200]
    output.say(
        f"{now} {answered.client} {answered.method} {path} {answered.status} {milliseconds:.1f} ms"
    )
