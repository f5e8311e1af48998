"""A polite stop: the first signal asks, the second insists, and the handlers come back as they were."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from runtime.signals import StopRequest


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_asks_the_second_insists(number: signal.Signals) -> None:
    told = threading.Event()
    before = signal.getsignal(number)
    with StopRequest(told.set) as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop() and stop.requested
        assert told.wait(10)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_elsewhere_than_in_the_main_thread_nothing_is_taken_over() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with StopRequest() as stop:
            seen.extend((stop(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False, before]


def test_a_handler_that_python_did_not_set_is_not_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """`signal.signal` says None for such a one, and does not take None."""
    real = signal.signal
    with monkeypatch.context() as patched:
        patched.setattr(signal, "signal", lambda number, handler: (real(number, handler), None)[1])
        stop = StopRequest().__enter__()
    stop.__exit__(None, None, None)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
