"""The DELTA benchmark: one folder a scope, one table of all."""

from __future__ import annotations

from collections.abc import Mapping

from rlgrok.delta.manufactoria import SCOPE as MANUFACTORIA
from rlgrok.types import Scope

SCOPES: Mapping[str, Scope] = {MANUFACTORIA.name: MANUFACTORIA}
