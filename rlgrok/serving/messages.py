"""What every kind of answer shares: reading a body, saying what is wrong with it, encoding what goes out."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from rlgrok.serving.limits import LimitError

_SHOWN_INPUT = 200
_SHOWN_ERRORS = 20
Model = TypeVar("Model", bound=BaseModel)


class Outcome(StrEnum):
    """What became of a request, for the counters."""

    PASSED = "passed"
    FAILED = "failed"
    PARSE_ERROR = "parse_error"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    ERROR = "error"


class Answer(NamedTuple):
    """An HTTP status, the outcome behind it, and the body: JSON in ASCII."""

    status: int
    outcome: Outcome
    body: bytes


class MalformedError(Exception):
    """A body of the wrong shape.

    Args:
        detail: one object an error, in FastAPI's form.
    """

    def __init__(self, detail: list[dict[str, Any]]) -> None:
        self.detail = detail
        super().__init__(str(detail))


def decode(body: bytes) -> object:
    """What a body holds.

    Raises:
        MalformedError: it is not JSON.
    """
    if not body:
        raise MalformedError([fault("missing", ["body"], "Field required", None)])
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise _not_json(error.pos, error.msg) from error
    except UnicodeDecodeError as error:
        raise _not_json(error.start, f"not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise _not_json(0, "nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits
        raise _not_json(0, str(error)) from error


def validated(model: type[Model], decoded: object) -> Model:
    """A decoded body as one of `schema.py`.

    Raises:
        MalformedError: it does not fit.
    """
    try:
        return model.model_validate(decoded)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        shown = found[:_SHOWN_ERRORS]
        raise MalformedError(
            [fault(e["type"], ["body", *e["loc"]], e["msg"], e["input"]) for e in shown]
        ) from error


def fault(kind: str, loc: list[str | int], msg: str, got: object) -> dict[str, Any]:
    """One validation error; what was got is shown when it is short and JSON can say it."""
    detail = {"type": kind, "loc": loc, "msg": msg}
    is_plain = got is None or got == {} or isinstance(got, str | int)
    is_plain = is_plain or (isinstance(got, float) and math.isfinite(got))
    return {**detail, "input": got} if is_plain and len(str(got)) <= _SHOWN_INPUT else detail


def too_large(error: LimitError) -> Answer:
    """The answer to a request beyond a limit."""
    return Answer(413, Outcome.TOO_LARGE, encode({"detail": error.as_detail()}))


def malformed(error: MalformedError) -> Answer:
    """The answer to a body of the wrong shape."""
    return Answer(422, Outcome.MALFORMED, encode({"detail": error.detail}))


def encode(data: dict[str, Any]) -> bytes:
    """JSON in ASCII, without blanks."""
    return json.dumps(data, separators=(",", ":")).encode("ascii")


def _not_json(position: int, why: str) -> MalformedError:
    detail = fault("json_invalid", ["body", position], "JSON decode error", {})
    return MalformedError([{**detail, "ctx": {"error": why}}])
