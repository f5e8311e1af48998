"""The request body of the verification API (delta-manufactoria.md, section 4): fields, types and defaults."""

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
