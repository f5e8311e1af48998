"""`toolkit rl serve` over real sockets: the reference's API, hostile clients, crashes, load, and a polite end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.judge import judge
from rlgrok.delta.manufactoria.solutions import oracle

pytestmark = pytest.mark.timeout(300)  # processes of its own, on a machine that may be busy

READ_TIMEOUT_S = 1.5
ACCEPT_ALL = "START start:\n    NEXT end\nEND end"
SIMPLE = json.dumps({"dsl": ACCEPT_ALL, "test_cases": [{"input": "R", "check_output": False}]})
HEAD = b"POST /test_solution HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class Reply(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Service:
    """A running service."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def request(
        self, method: str, path: str, body: str | bytes | None = None, **headers: str
    ) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            if body is not None:
                headers.setdefault("Content-Type", "application/json")
            connection.request(method, path, body, headers)
            got = connection.getresponse()
            names = {name.lower(): text for name, text in got.getheaders()}
            return Reply(got.status, got.read().decode(), names)
        finally:
            connection.close()

    def post(self, body: str | bytes, **headers: str) -> Reply:
        return self.request("POST", "/test_solution", body, **headers)

    def metric(self, name: str) -> float:
        page = self.request("GET", "/metrics").text
        return float(next(row for row in page.splitlines() if row.startswith(name)).split()[-1])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err


@contextmanager
def serving(*arguments: str) -> Iterator[Service]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "rl", "serve", "--port", "0", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stderr.readline()
        scope = "bouncingsim" if "bouncingsim" in arguments else "manufactoria"
        assert line.startswith(f"serving {scope} on http://127.0.0.1:"), line
        yield Service(process, int(line.split(",")[0].rsplit(":", 1)[1]))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    options = "--workers", "2", "--max-tests", "50", "--max-tape", "100", "--max-body", "1"
    with serving(*options) as running:
        yield running


@pytest.fixture(scope="module")
def hasty() -> Iterator[Service]:
    """One that does not wait long for slow clients; apart, so that a busy machine makes none of the others slow."""
    with serving("--workers", "1", "--read-timeout", str(READ_TIMEOUT_S)) as running:
        yield running


def answer_to(raw: bytes, service: Service) -> bytes:
    """What comes back until the service hangs up."""
    with service.connect() as connection:
        connection.sendall(raw)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


def test_health_and_readiness(service: Service) -> None:
    assert service.request("GET", "/health")[:2] == (200, '{"status":"healthy"}')
    assert service.request("GET", "/ready")[:2] == (200, '{"status":"ready"}')


def test_the_description_names_fields_and_defaults(service: Service) -> None:
    described = service.request("GET", "/openapi.json").json
    operation = described["paths"]["/test_solution"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["dsl", "test_cases"]
    case = schema["properties"]["test_cases"]["items"]
    defaults = {name: field.get("default") for name, field in case["properties"].items()}
    assert defaults == {
        "input": None,
        "expected_output": "",
        "expected_accepted": True,
        "check_output": True,
        "description": "",
    }


def test_a_verdict_is_the_judges(service: Service) -> None:
    problem = build(["append_sequence"], "four", [2]).train[5]
    program = oracle(problem)
    body = {"dsl": program, "test_cases": [asdict(test) for test in problem.tests]}
    reply = service.post(json.dumps(body))
    own = judge(program, problem.tests, keep_paths=True)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json == {
        "valid": True,
        "all_passed": True,
        "results": [{**r._asdict(), "path": list(r.path)} for r in own.results],
    }


HOSTILE = {
    "no JSON": (b"{", {}, 422),
    "empty": (b"", {}, 422),
    "latin-1": ("{\"dsl\": \"\xe9\"}".encode("latin-1"), {}, 422),
    "deep": (b"[" * 500_000, {}, 422),
    "a list": (b"[1, 2]", {}, 422),
    "wrong types": (b'{"dsl": 1, "test_cases": {}}', {}, 422),
    "another type": (SIMPLE.encode(), {"Content-Type": "text/plain"}, 422),
    "no type": (SIMPLE.encode(), {"Content-Type": ""}, 422),
    "a JSON type": (SIMPLE.encode(), {"Content-Type": "application/ld+json; charset=x"}, 200),
    "too many tests": (
        json.dumps({"dsl": "", "test_cases": [{"input": ""}] * 51}).encode(), {}, 413,
    ),
    "a long tape": (
        json.dumps({"dsl": "", "test_cases": [{"input": "R" * 101}]}).encode(), {}, 413,
    ),
    "a long program": (json.dumps({"dsl": "#" * 100_001, "test_cases": []}).encode(), {}, 413),
    "nulls": (b'{"dsl": "\\u0000\\n\\u0000", "test_cases": [{"input": "\\u0000"}]}', {}, 200),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_get_their_status(name: str, service: Service) -> None:
    body, headers, status = HOSTILE[name]
    reply = service.post(body, **headers)
    assert reply.status == status, reply.text
    assert ("results" if status == 200 else "detail") in reply.json
    assert service.post(SIMPLE).json["all_passed"] is True


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/test_solution", 405), ("POST", "/health", 405), ("GET", "/nope", 404),
     ("GET", "/../../etc/passwd", 404), ("BREW", "/health", 405)],
)  # fmt: skip
def test_other_routes(method: str, path: str, status: int, service: Service) -> None:
    assert service.request(method, path).status == status


@pytest.mark.parametrize(
    "raw",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"nonsense\r\n\r\n",
     HEAD + b"Content-Length: -1\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_sent_away(raw: bytes, service: Service) -> None:
    assert not answer_to(raw, service) or b" 400 " in answer_to(raw, service)
    assert service.request("GET", "/health").status == 200


def test_a_declared_body_that_is_too_large_is_refused(service: Service) -> None:
    reply = service.post(b"x" * (3 << 20))
    assert reply.status == 413
    detail = reply.json["detail"][0]
    assert (detail["field"], detail["got"], detail["limit"]) == ("body", 3 << 20, 1 << 20)
    assert reply.headers["connection"] == "close"


def test_an_endless_body_is_refused_while_it_comes(service: Service) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with service.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        answered = threading.Event()

        def send() -> None:
            while not answered.wait(0.02):
                try:
                    connection.sendall(chunk)
                except OSError:
                    return

        sender = threading.Thread(target=send)
        sender.start()
        reply = b""
        while b"limit" not in reply and (part := connection.recv(65536)):
            reply += part
        answered.set()
        sender.join()
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"limit 1048576 bytes" in reply
    assert service.metric("toolkit_held_bytes") == 0


def test_a_slow_body_gets_a_408(hasty: Service) -> None:
    reply = answer_to(HEAD + b"Content-Length: 100\r\n\r\n{", hasty)
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert f"within {READ_TIMEOUT_S:g} s".encode() in reply


@pytest.mark.parametrize("raw", [b"", b"POST /test_sol", HEAD[:-2]])
def test_a_slow_head_is_hung_up_on(raw: bytes, hasty: Service) -> None:
    assert answer_to(raw, hasty) == b""


def test_a_connection_that_is_kept_is_watched_too(hasty: Service) -> None:
    with hasty.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while b"healthy" not in answer:
            answer += connection.recv(65536)
        connection.sendall(b"GET /heal")
        assert connection.recv(65536) == b""


def test_two_requests_sent_at_once_on_one_connection(service: Service) -> None:
    one = HEAD + f"Content-Length: {len(SIMPLE)}\r\n\r\n{SIMPLE}".encode()
    two = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    assert answer_to(one + two, service).count(b'"all_passed":true') == 2


def test_metrics_count_what_was_asked(service: Service) -> None:
    name = 'toolkit_requests_total{method="POST",path="/test_solution",status="200"}'
    service.post(SIMPLE)
    before = service.metric(name)
    service.post(SIMPLE)
    assert service.metric(name) == before + 1
    assert service.metric("toolkit_workers ") == 2
    assert service.metric("toolkit_queue_depth") == 0
    assert service.metric("toolkit_request_seconds_count") > before


def ask_all(service: Service, count: int, connections: int) -> list[tuple[int, int]]:
    """Distinct requests at one time; each must come back with its own answer."""

    def ask(number: int) -> tuple[int, int]:
        case = {"input": "RB" * (number % 40), "description": str(number)}
        reply = service.post(json.dumps({"dsl": ACCEPT_ALL, "test_cases": [case]}))
        return reply.status, int(reply.json["results"][0]["description"])

    with ThreadPoolExecutor(connections) as pool:
        return list(pool.map(ask, range(count)))


def test_requests_at_one_time_lose_nothing(service: Service) -> None:
    assert ask_all(service, 200, 100) == [(200, number) for number in range(200)]


@pytest.mark.slow
def test_a_thousand_requests_at_one_time_lose_nothing() -> None:
    with serving("--workers", "2") as service:
        assert ask_all(service, 3000, 1000) == [(200, number) for number in range(3000)]
        assert service.metric("toolkit_worker_restarts_total") == 0


def test_killed_workers_lose_nothing(service: Service) -> None:
    done = threading.Event()
    before = service.metric("toolkit_worker_restarts_total")

    def kill() -> None:
        while not done.wait(0.4):
            children = psutil.Process(service.process.pid).children()
            if len(children) == 2:
                children[0].kill()
                return

    killer = threading.Thread(target=kill)
    killer.start()
    answers = ask_all(service, 120, 30)
    done.set()
    killer.join()
    assert answers == [(200, number) for number in range(120)]
    deadline = time.monotonic() + 60
    while service.metric("toolkit_workers ") < 2:
        assert time.monotonic() < deadline, "the worker was not replaced"
        time.sleep(0.05)
    assert service.metric("toolkit_worker_restarts_total") <= before + 1


def test_python_programs_are_served_from_the_sandbox() -> None:
    tests = [
        f"assert check_distance(predict_position({t}.00), [[{t}00.0, 0]]) <= 50.0" for t in (1, 9)
    ]
    right = "def predict_position(t):\n    return [[100 * t, 0]]"
    hostile = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"
    with serving("--workers", "2", "--scope", "bouncingsim") as service:

        def ask(number: int) -> tuple[int, str, list[int]]:
            program = (right, right.replace("100", "0"), hostile)[number % 3]
            body = json.dumps({"program": program, "tests": tests})
            reply = service.request("POST", "/test_program", body)
            return reply.status, reply.json["status"], reply.json["results"]

        with ThreadPoolExecutor(30) as pool:
            found = list(pool.map(ask, range(60)))
        wanted = [(200, "passed", [1, 1]), (200, "failed", [0, 0]), (200, "forbidden", [0, 0])]
        assert found == wanted * 20
        assert service.post(SIMPLE).status == 404
        assert service.metric('toolkit_programs_total{outcome="passed"}') == 20
        assert service.metric("toolkit_worker_restarts_total") == 0
        children = psutil.Process(service.process.pid).children(recursive=True)
        assert service.end(signal.SIGTERM)[0] == 0
        assert not psutil.wait_procs(children, timeout=30)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scope", "bouncingsmi"), "did you mean bouncingsim?"),
        (("--scope", "bouncingsim", "--strict"), "only Manufactoria programs"),
    ],
)
def test_what_cannot_be_served(arguments: tuple[str, ...], words: str) -> None:
    command = [sys.executable, "-m", "cli.main", "rl", "serve", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_what_is_in_flight_is_answered_before_the_end(number: signal.Signals, code: int) -> None:
    with serving("--workers", "1", "--json", "--log-requests") as service:
        with service.connect() as connection:
            head = HEAD + f"Content-Length: {len(SIMPLE)}\r\n\r\n".encode()
            connection.sendall(head + SIMPLE[:9].encode())
            while service.metric("toolkit_requests_in_flight") < 2:  # this one and the asking
                time.sleep(0.02)
            service.process.send_signal(number)
            with pytest.raises(ConnectionError):
                for _ in range(200):
                    service.request("GET", "/health")
                    time.sleep(0.05)
            connection.sendall(SIMPLE[9:].encode())
            reply = b""
            while part := connection.recv(65536):
                reply += part
        out, err = service.process.communicate(timeout=60)
        assert service.process.returncode == code, err
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert b'"all_passed":true' in reply
    result = json.loads(out)
    assert result["command"] == "rl serve"
    assert result["status"] == ("done" if code == 0 else "interrupted")
    assert result["by_status"]["200"] == result["num_requests"]
    assert "POST /test_solution 200" in err
    assert "Traceback" not in err


def test_a_second_signal_ends_at_once() -> None:
    with serving("--workers", "1") as service:
        with service.connect() as connection:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
            while service.metric("toolkit_requests_in_flight") < 2:
                time.sleep(0.02)
            service.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            code, _, err = service.end(signal.SIGINT)
    assert code == 130
    assert "Traceback" not in err


def test_no_worker_outlives_a_service_that_is_killed() -> None:
    with serving("--workers", "1") as service:
        workers = psutil.Process(service.process.pid).children()
        service.end(signal.SIGKILL)
    assert len(workers) == 1
    assert not psutil.wait_procs(workers, timeout=30)[1]


def toolkit(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "rl", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **variables},
    )


def test_a_port_that_is_taken(service: Service) -> None:
    done = toolkit("--port", str(service.port), "--json")
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot listen there: ")
    assert f"got 127.0.0.1:{service.port}; at --port" in done.stderr
    assert json.loads(done.stdout)["error"]["exit_code"] == 2


def test_a_host_that_is_not_there() -> None:
    done = toolkit("--host", "no.such.host.invalid")
    assert done.returncode == 2
    assert "error: no such host; got no.such.host.invalid; at --host" in done.stderr


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text(
        "raise ModuleNotFoundError('No module named fastapi', name='fastapi')"
    )
    done = toolkit(PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[3]}")
    assert done.returncode == 2
    assert "needs FastAPI and uvicorn; got no module fastapi" in done.stderr
    assert "hint: pip install 'delta-toolkit[serve]'" in done.stderr
