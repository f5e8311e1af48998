"""Problems, records of the published layout, and what named sets promise."""

from __future__ import annotations

import json

import pytest

from rlgrok.delta.bouncingsim.audit import earnings
from rlgrok.delta.bouncingsim.datasets import (
    FIRST_TEST,
    build,
    build_named,
    find_problem,
    find_set,
    named_sets,
)
from rlgrok.delta.bouncingsim.tasks import fingerprint, from_record, to_record
from rlgrok.delta.fields import RecordError
from rlgrok.types import RecordedProblem
from runtime.errors import ConfigError

FIELDS = [
    "messages", "ground_truth", "dataset", "id", "difficulty", "timestamps", "tolerance", "prompt_setting",
]  # fmt: skip


def test_the_published_record() -> None:
    problem = find_problem("DF_2_3")
    record = to_record(problem)
    assert list(record) == FIELDS
    assert (record["dataset"], record["id"], record["difficulty"]) == ("ballsim", "DF_2_3", 2)
    assert record["timestamps"] == [round(0.1 * count, 2) for count in range(1, 16)]
    assert record["ground_truth"][0].startswith("assert check_distance(predict_position(0.10), [[")
    assert problem.name == "GRAVITY_MULTIBOX medium"


def test_a_record_comes_back() -> None:
    problem = find_problem("C_1_1")
    plain = from_record(json.loads(json.dumps(to_record(problem))))
    assert isinstance(plain, RecordedProblem)
    assert plain.tests == problem.tests
    assert not plain.has_oracle
    assert to_record(plain) == to_record(problem)
    full = from_record(to_record(problem, parameters=True))
    assert full.parameters == problem.parameters


def test_parameters_must_be_those_of_the_tests() -> None:
    record = to_record(find_problem("C_1_1"), parameters=True)
    other = to_record(find_problem("C_1_2"), parameters=True)
    with pytest.raises(RecordError, match=r"ground_truth\[0\]: not where the scene's balls are"):
        from_record({**record, "parameters": other["parameters"]})
    with pytest.raises(RecordError, match="parameters: not JSON"):
        from_record({**record, "parameters": "{"})


def test_a_named_set() -> None:
    data = build_named("explorative_rotbox")
    assert (len(data.train), len(data.heldout)) == (80, 40)
    marks = [fingerprint(problem) for problem in (*data.train, *data.heldout)]
    assert len(set(marks)) == 120
    assert {problem.family for problem in data.train} == {"B"}
    assert {problem.family for problem in data.heldout} == {"B-small"}
    assert all(int(problem.id.rsplit("_", 1)[1]) >= FIRST_TEST for problem in data.heldout)


def test_axes() -> None:
    for name, one in named_sets().items():
        assert one.test is not None
        if name.startswith("compositional"):
            singles = {letter for letters in one.test.types for letter in letters}
            assert set(one.train.types) == singles
        if name.startswith("transformative"):
            assert not set(one.train.types) & set(one.test.types)


def test_levels_by_name_and_by_config() -> None:
    assert len(build_named("I:easy").train) == 20
    data = build(["B"], "two", difficulty="basic", heldout_share=0.5, max_problems=6, seed=3)
    assert (len(data.train), len(data.heldout)) == (3, 3)
    with pytest.raises(ConfigError, match="unknown level"):
        build(["B"], "two", difficulty="huge")
    with pytest.raises(ConfigError, match="own tests only"):
        build_named("rotbox", tests="ladder")


@pytest.mark.parametrize("name", ["rotbx", "B:huge", "E", "CH", ""])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ConfigError):
        find_set(name)


@pytest.mark.parametrize("name", ["B_9_1", "B_1", "B_1_x", "Q_1_1", "AD_4_1"])
def test_unknown_scenes(name: str) -> None:
    with pytest.raises(ConfigError):
        find_problem(name)


def test_earnings() -> None:
    rows = {row.program: row for row in earnings([find_problem("B_1_1"), find_problem("B_1_2")])}
    assert rows["oracle"].full_pass == 1.0
    assert rows["static"].full_pass == rows["free flight"].full_pass == 0.0
    assert (
        rows["oracle"].mean_error < rows["disc reflection"].mean_error < rows["static"].mean_error
    )
