"""JAX as a fit needs it: precision, the cache of compiled programs, and how long compiling took.

Set here and not by environment variables, because jobs of one sweep may share a process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jax

_STAGES = ("jaxpr_trace_duration", "jaxpr_to_mlir_module_duration", "backend_compile_duration")
_HIT = "/jax/compilation_cache/cache_hits"


@dataclass
class CompileClock:
    """What compiling cost so far."""

    seconds: float = 0.0
    """Tracing, lowering and compiling, or reading what an earlier process compiled."""
    programs: int = 0
    reused: int = 0
    """Programs that came from the cache."""


def configure(precision: str, cache: Path) -> None:
    """Set the precision of every later computation, and where compiled programs are kept between processes.

    Args:
        precision: `float64` or `float32`.
        cache: a folder; made when the first program is stored.
    """
    jax.config.update("jax_enable_x64", precision == "float64")
    jax.config.update("jax_compilation_cache_dir", str(cache))
    # everything: the defaults leave out what compiles in less than a second, which is most of a small fit
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@contextmanager
def compile_clock() -> Iterator[CompileClock]:
    """Count what is compiled inside the block."""
    clock = CompileClock()

    def on_duration(event: str, seconds: float, **_: object) -> None:
        if event.rpartition("/")[2] in _STAGES:
            clock.seconds += seconds
            clock.programs += event.endswith(_STAGES[-1])

    def on_event(event: str, **_: object) -> None:
        clock.reused += event == _HIT

    jax.monitoring.register_event_duration_secs_listener(on_duration)
    jax.monitoring.register_event_listener(on_event)
    try:
        yield clock
    finally:
        jax.monitoring.unregister_event_duration_listener(on_duration)
        jax.monitoring.unregister_event_listener(on_event)
