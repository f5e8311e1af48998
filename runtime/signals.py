"""A polite stop: the first Ctrl-C (or SIGTERM) asks, the second one insists.

Used around loops that can save their state and end by themselves. Outside such a loop Python's own
behaviour, an immediate KeyboardInterrupt, is the right one.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Context manager; `requested` turns True at the first signal, the second raises KeyboardInterrupt.

    In a thread other than the main one signals cannot be caught: then it never turns True by
    itself.

    Args:
        on_request: called at the first signal, to say that it was heard. In a thread of its own:
            what the signal interrupted may be holding the very lock or stream that telling needs.
    """

    def __init__(self, on_request: Callable[[], None] | None = None) -> None:
        self.requested = False
        self._on_request = on_request
        self._previous: dict[signal.Signals, Any] = {}

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        return self.requested

    def __enter__(self) -> StopRequest:
        """Take over the signals."""
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            # None: a handler that was not set from Python, and cannot be from here.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous = {}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        if self._on_request is not None:
            threading.Thread(target=self._on_request, daemon=True).start()
