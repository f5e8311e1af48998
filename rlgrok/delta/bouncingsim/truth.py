"""Ground truth: where the balls of a scene are, by the engine, which an installation may lack."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from rlgrok.delta.bouncingsim.scene import Scene
from runtime.errors import ConfigError

INTERVAL_S = 0.1
NUM_TIMES = 15
DEFAULT_TIMES = tuple(round(INTERVAL_S * count, 2) for count in range(1, NUM_TIMES + 1))
"""Of the benchmark's records, seconds, for every family and level."""


def positions_at(scene: Scene, times: Sequence[float]) -> list[list[tuple[float, float]]]:
    """For each time, a point for each ball, metres, two decimals.

    Raises:
        ConfigError: the engine is not installed.
    """
    require_engine()
    from rlgrok.delta.bouncingsim.flight import simulate  # loads the engine and numba

    return simulate(scene, times)


def require_engine() -> None:
    """Refuse where the engine is not installed.

    Raises:
        ConfigError: it is not.
    """
    if find_spec("Box2D") is None:
        raise ConfigError(
            "the physics of BouncingSim needs Box2D",
            got="no module Box2D",
            hint="pip install 'delta-toolkit[physics]'",
        )
