"""Bodies of the verification APIs: fields, types and defaults.

Manufactoria's are of delta-manufactoria.md, section 4; BouncingSim's of delta-bouncingsim.md, section 10.
"""

from __future__ import annotations

from pydantic import BaseModel, Field


class TestCaseBody(BaseModel):
    """One test of a request."""

    __test__ = False  # not a pytest class

    input: str = Field(description="The tape, front first.")
    expected_output: str = Field("", description="Read only with `check_output`.")
    expected_accepted: bool = True
    check_output: bool = True
    description: str = ""


class SolutionRequest(BaseModel):
    """A program with the tests that it is to be run on."""

    dsl: str = Field(description="The program text.")
    test_cases: list[TestCaseBody]
    max_execution_time: float = Field(1.0, description="Accepted and never used.")


class ResultBody(BaseModel):
    """What one test gave."""

    input: str
    expected_output: str
    actual_output: str
    expected_accepted: bool
    actual_accepted: bool
    check_output: bool
    passed: bool
    path: list[str]
    rejection_reason: str | None
    description: str


class SolutionResponse(BaseModel):
    """The verdict."""

    valid: bool = Field(description="The program parsed.")
    all_passed: bool
    results: list[ResultBody]
    message: str | None = Field(None, description="Only when the program could not be judged.")


class ProgramRequest(BaseModel):
    """A Python program with the assertions that it is to satisfy."""

    program: str = Field(description="The program text; of a text with fenced blocks, the last.")
    tests: list[str] | str = Field(
        description="Published assertion strings, or a JSON string of their list."
    )
    max_execution_time: float = Field(
        1.0, gt=0, le=60, description="Seconds of processor time for each test."
    )


class ProgramResponse(BaseModel):
    """The verdict."""

    results: list[int] = Field(description="1 for a test that passed, else 0.")
    runtimes: list[float] = Field(
        description="Seconds of processor time: an equal share of the program's for a test that passed, else -1."
    )
    status: str = Field(description="As in `toolkit rl verify`; without tests, failed.")
    message: str | None = Field(None, description="Why it did not pass.")
