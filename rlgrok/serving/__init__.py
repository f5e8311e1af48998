"""The verification API over HTTP: FastAPI in front, a pool of judging processes behind. Prints nothing."""

MANUFACTORIA, BOUNCINGSIM = "manufactoria", "bouncingsim"
"""Scopes that are served."""
