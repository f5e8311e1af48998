"""From a data config to problems: named sets, difficulties, records, and what does not go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rlgrok.config import Colors, DataConfig
from rlgrok.delta import SCOPES
from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.wrapped import to_record
from rlgrok.ingredients import CurriculumConfig, CurriculumKind, Progress, StageBy
from rlgrok.problems import build_problems, find_problems, read_problems, stages_of, without_oracle
from rlgrok.recordfiles import write_records
from rlgrok.types import DataSet, TestSource
from runtime.errors import ConfigError, InputError

SCOPE = SCOPES["manufactoria"]


def config(**changes: Any) -> DataConfig:
    given: dict[str, Any] = {
        "scope": "manufactoria",
        "families": [],
        "colors": Colors.TWO,
        "lengths": [],
        "heldout_share": 0.0,
        "max_problems": None,
        "tests": TestSource.DELTA,
    }
    return DataConfig(**{**given, **changes})


def built(training: bool = True, seed: int = 0, **changes: Any) -> DataSet:
    return build_problems(config(**changes), seed=seed, training=training)[1]


@pytest.fixture
def records(tmp_path: Path) -> Any:
    """Writes the problems of contains_ordered as records; returns the path."""

    def write(name: str, *, parameters: bool, lengths: tuple[int, ...] = (2, 3)) -> str:
        data = build(["contains_ordered"], "two", lengths)
        write_records(
            (to_record(problem, parameters=parameters) for problem in data.train), tmp_path / name
        )
        return str(tmp_path / name)

    return write


def test_a_named_set_has_its_own_split_whatever_the_seed() -> None:
    data = built(sets=["ends"], test=["ends"])
    assert (len(data.train), len(data.heldout), data.name) == (107, 19, "ends")
    assert built(sets=["ends"], test=["ends"], seed=5) == data
    assert built(sets=["ends"], test=["ends:5"]).heldout == data.heldout[-5:]


def test_families_sizes_and_a_cap_say_what_is_kept() -> None:
    data = built(sets=["basic_mix"], test=["basic_mix"], families=["starts_with"], lengths=[3, 4])
    assert {problem.family for problem in (*data.train, *data.heldout)} == {"starts_with"}
    assert {len(problem.parameters["sequence"]) for problem in data.train} == {3, 4}
    few = built(sets=["ends"], test=["ends"], max_problems=6)
    assert (len(few.train), len(few.heldout)) == (6, 6)
    assert few != built(sets=["ends"], test=["ends"], max_problems=6, seed=1)


def test_a_share_is_held_out_where_no_test_is_named() -> None:
    data = built(sets=["ends"], heldout_share=0.2)
    assert len(data.train) + len(data.heldout) == 107
    assert len(data.heldout) == pytest.approx(21, abs=3)
    assert not {p.id for p in data.train} & {p.id for p in data.heldout}


def test_a_difficulty_is_enumerated() -> None:
    data = built(families=["ends_with"], difficulty="easy", heldout_share=0.2)
    assert len(data.train) + len(data.heldout) == 30
    assert {problem.difficulty for problem in data.train} == {"easy"}
    sized = built(families=["ends_with"], difficulty="easy", lengths=[4])
    assert len(sized.train) == 16
    with pytest.raises(ConfigError, match="no such difficulty"):
        built(families=["ends_with"], difficulty="hard")
    with pytest.raises(ConfigError, match="no problem has one of these sizes"):
        built(families=["ends_with"], difficulty="easy", lengths=[9])


def test_test_problems_that_repeat_training_problems_are_refused() -> None:
    with pytest.raises(ConfigError, match="test problems repeat training problems") as caught:
        built(sets=["ends"], test=["ends_with:two:medium:50"])
    assert "compat" in str(caught.value.hint)
    leaked = built(sets=["ends"], test=["ends_with:two:medium:50"], compat=True)
    assert len(leaked.heldout) == 50
    # The same in other words: `>=t+1` of a level is `>t` of the set.
    with pytest.raises(ConfigError, match="such as numerical_comparison"):
        built(sets=["compr"], test=["numerical_comparison:two:medium"])


def test_a_set_of_test_problems_is_for_evaluation_only() -> None:
    assert len(built(sets=[], test=["fdiv"], training=False).heldout) == 7
    with pytest.raises(ConfigError, match="no problem is left to train on; got test problems only"):
        built(sets=[], test=["fdiv"])
    with pytest.raises(ConfigError, match="no problem is left; got no problem at all"):
        built(sets=[], test=["fdiv"], families=["ends_with"], training=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sets": ["hass"]}, "unknown data set; got hass"),
        ({"sets": ["ends"], "test": ["ends:20"]}, "expected ends:1 to ends:19"),
        ({"sets": ["ends"], "test": ["ends:0"]}, "there are fewer test problems"),
        ({"sets": [], "test": ["symm:3"]}, "the problems have four colours; got two"),
    ],
)
def test_what_does_not_go_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        built(training=False, **changes)


def test_records_with_parameters_are_problems_like_any_other(records: Any) -> None:
    path = records("a.jsonl", parameters=True)
    data = built(sets=[path], heldout_share=0.25, lengths=[3])
    assert len(data.train) + len(data.heldout) == 8
    assert without_oracle(data.train) == 0
    same = records("b.parquet", parameters=True)
    with pytest.raises(ConfigError, match="12 of 12, such as"):
        built(sets=[path], test=[same])


def test_records_without_parameters_have_tests_and_nothing_else(records: Any) -> None:
    path = records("a.jsonl", parameters=False)
    data = built(sets=[path], heldout_share=0.25)
    assert len(data.train) + len(data.heldout) == without_oracle((*data.train, *data.heldout)) == 12
    with pytest.raises(ConfigError, match="without parameters has no size"):
        built(sets=[path], lengths=[3])
    with pytest.raises(ConfigError, match="records have their own tests"):
        built(sets=[path], tests=TestSource.LADDER)
    with pytest.raises(ConfigError, match="test problems repeat"):
        built(sets=[path], test=[records("b.json", parameters=False, lengths=(3,))])


def test_a_wrong_record_is_named_with_its_line_and_field(records: Any) -> None:
    path = Path(records("a.jsonl", parameters=False))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace('"user"', '"bot"')]))
    with pytest.raises(InputError, match=r"a\.jsonl, line 2, messages\[0\]\.role"):
        read_problems(str(path), SCOPE)
    path.write_text("\n".join([lines[0], lines[0]]))
    with pytest.raises(InputError, match=r"a second record with the same id.*line 2"):
        read_problems(str(path), SCOPE)
    path.write_text("\n")
    with pytest.raises(InputError, match="no records"):
        read_problems(str(path), SCOPE)


def test_two_sources_may_share_a_problem_but_not_an_id(records: Any, tmp_path: Path) -> None:
    path, other = records("a.jsonl", parameters=False), tmp_path / "b.jsonl"
    other.write_text(Path(path).read_text())
    assert len(built(sets=[path, str(other)]).train) == 12
    other.write_text(Path(path).read_text().replace('"input": "RBR"', '"input": "RRR"'))
    with pytest.raises(InputError, match="two problems have the same id and other tests"):
        built(sets=[path, str(other)])


def test_one_word_names_a_set_a_family_a_level_or_records(records: Any) -> None:
    def counted(name: str) -> tuple[int, int]:
        train, test = find_problems(name, SCOPE)
        return len(train), len(test)

    assert counted("ends") == (107, 19)
    assert counted("ends_with") == (126, 0)
    assert counted("ends_with:two:medium") == (96, 0)
    assert counted(records("a.json", parameters=False)) == (12, 0)
    with pytest.raises(ConfigError, match="unknown family or data set; got hass") as caught:
        find_problems("hass", SCOPE)
    assert caught.value.hint == "did you mean has?"


def curriculum(by: str, stages: list[list[Any]] | None = None) -> CurriculumConfig:
    return CurriculumConfig(
        kind=CurriculumKind.STAGES, progress=Progress.FULL_PASS, by=StageBy(by), stages=stages, advance_at=0.7,
        window=5, stage_steps=None, review_share=0.25, low=0.1, high=0.9, hard_share=0.25, memory=0.5,
    )  # fmt: skip


def staged(settings: CurriculumConfig, **data: Any) -> list[list[str]]:
    """What the problems of each stage are called by their kind: their family and length."""
    chosen = config(**data)
    problems = build_problems(chosen, seed=0, training=True)[1].train
    named = [f"{problem.family}:{len(problem.id.rsplit(':', 1)[-1])}" for problem in problems]
    return [sorted({named[index] for index in stage}) for stage in stages_of(chosen, settings, problems)]


def test_without_a_list_every_size_or_family_is_a_stage() -> None:
    data = {"families": ["ends_with", "contains_ordered"], "lengths": [2, 1]}
    assert staged(curriculum("size"), **data) == [
        ["contains_ordered:1", "ends_with:1"], ["contains_ordered:2", "ends_with:2"],
    ]  # fmt: skip
    assert [stage[0].partition(":")[0] for stage in staged(curriculum("family"), **data)] == data["families"]


def test_listed_stages_may_overlap() -> None:
    data = {"families": ["contains_ordered"], "lengths": [1, 2, 3]}
    assert staged(curriculum("size", [[1, 2, 3], [2, 3]]), **data) == [
        ["contains_ordered:1", "contains_ordered:2", "contains_ordered:3"],
        ["contains_ordered:2", "contains_ordered:3"],
    ]
    both = {"families": ["ends_with", "contains_ordered"], "lengths": [2]}
    assert staged(curriculum("family", [["contains_ordered"], ["contains_ordered", "ends_with"]]), **both) == [
        ["contains_ordered:2"], ["contains_ordered:2", "ends_with:2"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([[1], [2, 7]], r"no training problem of this size.*7.*stages of 1, 2.*stages\[1\]"),
        ([[1], []], r"no training problem of this size.*an empty stage"),
        ([[2]], r"training problems of this size are in no stage.*1.*stages of 1, 2"),
    ],
)
def test_a_stage_without_problems_and_problems_without_a_stage_are_refused(
    stages: list[list[int]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        staged(curriculum("size", stages), families=["contains_ordered"], lengths=[1, 2])
