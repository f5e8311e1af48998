"""Gzip JSON lines: growth, the torn tail at every byte, damage in the middle."""

from __future__ import annotations

import gzip
import json
import os

import pytest

from rlgrok.evaluation import gzip_lines
from rlgrok.evaluation.gzip_lines import append_lines, encode_lines, mend, read_lines
from runtime.errors import InputError, StorageError

FIRST = [{"n": 1, "text": "START start:\n    NEXT end"}, {"n": 2, "text": "ü\u2028\x85"}]
SECOND = [{"n": index, "text": "x" * index} for index in range(3, 40)]


def test_appends_are_read_back_and_any_gzip_reads_them(tmp_path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    append_lines(path, FIRST)
    append_lines(path, [])
    append_lines(path, SECOND)
    assert read_lines(path) == (FIRST + SECOND, False)
    assert read_lines(path, lambda record: record["n"] > 38).records == SECOND[-1:]
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        assert [json.loads(line) for line in lines] == FIRST + SECOND


def test_a_tear_at_any_byte_loses_at_most_the_last_append(tmp_path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    whole = encode_lines(FIRST)
    data = whole + encode_lines(SECOND)
    for size in range(len(whole) + 1, len(data)):
        path.write_bytes(data[:size])
        records, is_torn = read_lines(path)
        assert is_torn
        assert records == (FIRST + SECOND)[: len(records)]
        assert len(records) >= len(FIRST)


def test_mending_keeps_what_can_be_saved_and_allows_appending(tmp_path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    path.write_bytes(encode_lines(FIRST) + encode_lines(SECOND)[:-4])
    saved = mend(path)
    assert saved[: len(FIRST)] == FIRST
    append_lines(path, [{"n": 99}])
    assert read_lines(path) == ([*saved, {"n": 99}], False)


def test_mending_leaves_a_whole_file_alone(tmp_path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    assert mend(path) == []
    assert not path.exists()
    append_lines(path, FIRST)
    before = path.read_bytes()
    assert mend(path) == FIRST
    assert path.read_bytes() == before


def test_zeros_left_by_a_power_cut_are_a_tear(tmp_path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    path.write_bytes(encode_lines(FIRST) + b"\0" * 512)
    assert read_lines(path) == (FIRST, True)


def test_damage_before_the_end_is_an_error_with_the_place(tmp_path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    first, second = bytearray(encode_lines(FIRST)), encode_lines(SECOND)
    first[len(first) // 2] ^= 0xFF
    path.write_bytes(bytes(first) + second)
    with pytest.raises(InputError, match=r"damaged gzip data .*lines\.jsonl\.gz, byte 0"):
        read_lines(path)


def test_lines_that_are_no_records_are_named(tmp_path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"n": 1}\n[2]\n'))
    with pytest.raises(InputError, match=r"not a JSON object; got list; at .*line 2"):
        read_lines(path)
    path.write_bytes(gzip.compress(b"{\n"))
    with pytest.raises(InputError, match=r"not JSON .*line 1"):
        read_lines(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_lines(tmp_path / "absent.gz")


def test_a_full_disk_takes_nothing_back_that_was_there(tmp_path, monkeypatch) -> None:
    path = tmp_path / "lines.jsonl.gz"
    append_lines(path, FIRST)

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(gzip_lines.os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        append_lines(path, SECOND)
    monkeypatch.undo()
    assert read_lines(path) == (FIRST, False)


def test_not_finite_numbers_are_refused_before_writing(tmp_path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    with pytest.raises(ValueError, match="not finite"):
        append_lines(path, [{"reward": float("nan")}])
    assert not path.exists()
