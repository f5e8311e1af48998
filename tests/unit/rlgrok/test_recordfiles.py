"""Files of records: the same records in every format, and mistakes told with their place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlgrok.recordfiles import SUFFIXES, is_source, read_records, write_records
from runtime.errors import InputError, StorageError


def records(count: int = 3) -> list[dict[str, Any]]:
    case = {
        "input": "",
        "expected_output": "RB",
        "expected_accepted": True,
        "check_output": True,
        "description": "é",
    }
    return [
        {
            "messages": [{"role": "user", "content": f"line one\nline {number}"}],
            "ground_truth": [case, {**case, "check_output": False}],
            "dataset": "manufactoria",
            "difficulty": "None",
            "id": f"id {number}",
            "problem_family": "append_sequence",
            "name": "Append RB",
        }
        for number in range(count)
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("count", [0, 1, 600])
def test_every_format_gives_back_what_it_was_given(suffix: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / f"problems{suffix}"
    assert write_records(iter(records(count)), path) == count
    found = list(read_records(str(path)))
    assert [record for _, record in found] == records(count)
    assert [place for place, _ in found][:1] in ([], [f"{path}, {_unit(suffix)} 1"])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def _unit(suffix: str) -> str:
    return {".jsonl": "line", ".json": "record", ".parquet": "row"}[suffix]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_column_of_ours_is_kept(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"problems{suffix}"
    first, second = records(2)
    given = [{**first, "parameters": "{}"}, {**second, "parameters": None}]
    write_records(given, path)
    assert [record["parameters"] for _, record in read_records(str(path))] == ["{}", None]


def test_other_tools_read_the_files(tmp_path: Path) -> None:
    """The formats are the ordinary ones: pandas reads Parquet, `json` reads the array."""
    import pandas

    write_records(records(), tmp_path / "a.parquet")
    table = pandas.read_parquet(tmp_path / "a.parquet")
    assert list(table["id"]) == ["id 0", "id 1", "id 2"]
    assert table["ground_truth"][0][0]["description"] == "é"
    write_records(records(), tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == records()


def test_a_folder_is_all_its_files_by_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write_records(records()[:1], tmp_path / "deep" / "b.parquet")
    write_records(records()[1:], tmp_path / "a.jsonl")
    (tmp_path / "README.md").write_text("not records")
    assert [r["id"] for _, r in read_records(str(tmp_path))] == ["id 1", "id 2", "id 0"]


def test_the_hub_is_asked_for_its_one_split(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load(name: str, split: str) -> datasets.Dataset:
        assert (name, split) == ("manufactoria/has_test", "train")
        return datasets.Dataset.from_list(records(2))

    monkeypatch.setattr(datasets, "load_dataset", load)
    found = list(read_records("manufactoria/has_test"))
    assert [record for _, record in found] == records(2)
    assert found[1][0] == "manufactoria/has_test, row 2"


def test_a_hub_that_does_not_answer_is_an_error_of_one_line() -> None:
    with pytest.raises(InputError, match="no records can be loaded from the hub") as caught:
        list(read_records("nobody/nothing"))  # offline: tests/conftest.py
    assert caught.value.where == "nobody/nothing"
    assert "\n" not in caught.value.one_line()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"id": 1}\n\nnot json\n', "not JSON.*a.jsonl, line 3"),
        ("a.jsonl", b"\xff\xfe\n", "not JSON.*line 1"),
        ("a.jsonl", b"[" * 100_000, "not JSON.*line 1"),
        ("a.json", b'{"id": 1}', "not an array of records; got dict"),
        ("a.json", b"[", "not JSON.*a.json"),
        ("a.parquet", b"no magic number here", "not a Parquet file.*a.parquet"),
        ("a.csv", b"id\n1\n", "unknown file format; expected .jsonl, .json, .parquet"),
    ],
)
def test_a_file_that_is_no_records(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_records(str(tmp_path / name)))


def test_a_file_is_read_as_far_as_it_is_good(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\nbad\n')
    reader = read_records(str(tmp_path / "a.jsonl"))
    assert next(reader)[1] == {"id": 1}
    with pytest.raises(InputError, match="line 2"):
        next(reader)


@pytest.mark.parametrize("source", ["absent.jsonl", "./absent", "/absent/here", "a/b/c"])
def test_nothing_there(source: str) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        list(read_records(source))


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no files of records"):
        list(read_records(str(tmp_path)))


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown file format; got \.jsnl") as caught:
        write_records(records(), tmp_path / "a.jsnl")
    assert caught.value.hint == "did you mean a.jsonl?"
    with pytest.raises(StorageError, match="absent"):
        write_records(records(), tmp_path / "absent" / "a.jsonl")


def test_a_file_that_was_not_finished_does_not_appear(tmp_path: Path) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield from records(1)
        raise RuntimeError("out of records")

    for suffix in SUFFIXES:
        with pytest.raises(RuntimeError, match="out of records"):
            write_records(broken(), tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


def test_what_names_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert [word for word in ("has", "has.jsonl", "a/b", "mine", "./has") if is_source(word)] == [
        "has.jsonl",
        "a/b",
        "mine",
        "./has",
    ]
