"""The DELTA benchmark: one folder a scope, one table of all."""

from __future__ import annotations

from collections.abc import Mapping

from rlgrok.delta.bouncingsim import SCOPE as BOUNCINGSIM
from rlgrok.delta.manufactoria import SCOPE as MANUFACTORIA
from rlgrok.types import Scope

SCOPES: Mapping[str, Scope] = {scope.name: scope for scope in (MANUFACTORIA, BOUNCINGSIM)}
