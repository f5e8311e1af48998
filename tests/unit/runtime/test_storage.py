"""Files, JSON lines and folders: what is on disk after success, after a refusing disk, after a kill."""

from __future__ import annotations

import errno
import math
import os
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InputError, StorageError
from runtime.storage import (
    MARKER,
    JsonlWriter,
    atomic_write_bytes,
    atomic_write_json,
    atomic_write_text,
    content_hash,
    damage,
    is_complete,
    null_nonfinite,
    publish_directory,
    read_json,
    read_jsonl,
    storage_errors,
    to_json,
    truncate_jsonl,
)


class Color(Enum):
    RED = "red"


# --- JSON -----------------------------------------------------------------------------------------------------------


def test_json_takes_what_configs_and_metrics_hold():
    obj = {
        "path": Path("a/b"),
        "enum": Color.RED,
        "scalar": np.float32(0.5),
        "int": np.int64(3),
        "set": {2, 1},
        "é": (1,),
    }
    assert (
        to_json(obj)
        == '{"path": "a/b", "enum": "red", "scalar": 0.5, "int": 3, "set": [1, 2], "é": [1]}'
    )


@pytest.mark.parametrize(
    ("obj", "key"),
    [({"a": {"b": math.nan}}, "a.b"), ({"a": [1.0, -math.inf]}, "a.1"), (math.inf, "the value")],
    ids=str,
)
def test_json_refuses_numbers_without_a_form_and_names_the_key(obj, key):
    with pytest.raises(ValueError, match=f"^{key} is not finite"):
        to_json(obj)


def test_json_refuses_other_objects():
    with pytest.raises(TypeError, match="a object has no JSON form"):
        to_json({"a": object()})


def test_null_nonfinite_copies_and_reports():
    obj = {"a": [1.0, math.nan], "b": {"c": math.inf}, "d": "text"}
    assert null_nonfinite(obj) == (
        {"a": [1.0, None], "b": {"c": None}, "d": "text"},
        ["a.1", "b.c"],
    )
    assert math.isnan(obj["a"][1])


# --- whole files ----------------------------------------------------------------------------------------------------


def test_atomic_write_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    atomic_write_text(path, "old\n")
    atomic_write_text(path, "new ü\r\n")
    assert path.read_bytes() == "new ü\r\n".encode()
    assert os.listdir(tmp_path) == ["file.txt"]


def test_atomic_write_respects_the_umask(tmp_path):
    previous = os.umask(0o027)
    try:
        atomic_write_bytes(tmp_path / "file", b"")
    finally:
        os.umask(previous)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors have no names here")
def test_content_reaches_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path, monkeypatch
):
    calls = []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(descriptor):
        calls.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", lambda old, new: calls.append("rename") or replace(old, new))
    atomic_write_text(tmp_path / "file", "x")
    content, *rest = calls
    assert content.parent == tmp_path and content.suffix == ".tmp"
    assert rest == ["rename", tmp_path]


def test_json_round_trip(tmp_path):
    atomic_write_json(tmp_path / "x.json", {"a": [1, None, "é"]})
    assert read_json(tmp_path / "x.json") == {"a": [1, None, "é"]}


def test_an_object_without_json_form_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    atomic_write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="a is not finite"):
        atomic_write_json(path, {"a": math.nan})
    assert read_json(path) == {"a": 1}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.EIO, "input/output error"),
        (errno.ELOOP, os.strerror(errno.ELOOP)),
    ],
    ids=lambda value: errno.errorcode.get(value, ""),
)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_refusing_disk_is_named_and_the_old_file_stays(
    tmp_path, monkeypatch, call, number, words
):
    path = tmp_path / "file.txt"
    atomic_write_text(path, "old")

    def refuse(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        with pytest.raises(StorageError, match=words) as caught:
            atomic_write_text(path, "new")
    assert caught.value.where == str(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StorageError, match="No such file or directory"):
        atomic_write_text(tmp_path / "absent" / "file", "x")


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        atomic_write_text(tmp_path / "file" / "inside", "x")


def test_an_interrupt_while_writing_leaves_no_litter(tmp_path, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write_text(tmp_path / "file", "x")
    assert os.listdir(tmp_path) == []


def test_storage_errors_lets_other_errors_through(tmp_path):
    with pytest.raises(KeyError), storage_errors(tmp_path):
        raise KeyError("x")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"{", "not valid JSON"), (b"\xff\xfe\x00x", "not valid JSON")],
)
def test_unreadable_json_is_an_input_error(tmp_path, content, message):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_json(path)


# --- JSON lines -----------------------------------------------------------------------------------------------------


def write_lines(path: Path, count: int) -> None:
    with JsonlWriter(path) as writer:
        for step in range(count):
            writer.write({"step": step})


def test_lines_are_readable_at_once_and_appended_to(tmp_path):
    path = tmp_path / "m.jsonl"
    writer = JsonlWriter(path)
    writer.write({"step": 0, "text": "a\nb"})
    assert read_jsonl(path) == [{"step": 0, "text": "a\nb"}]
    writer.close()
    with JsonlWriter(path) as writer:
        writer.write({"step": 1})
    assert [record["step"] for record in read_jsonl(path)] == [0, 1]


def test_each_line_is_one_system_call(tmp_path, monkeypatch):
    calls = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: calls.append(bytes(data)) or write(fd, data))
    write_lines(tmp_path / "m.jsonl", 2)
    assert calls == [b'{"step": 0}\n', b'{"step": 1}\n']


@given(cut=st.integers(min_value=0, max_value=60), torn=st.booleans())
def test_a_file_cut_anywhere_is_read_and_continued(tmp_path_factory, cut, torn):
    # what a kill, or a power cut, leaves: any prefix; in the second case with the block's rest as zero bytes
    path = tmp_path_factory.mktemp("cut") / "m.jsonl"
    write_lines(path, 5)
    whole = path.read_bytes()
    cut = min(cut, len(whole))
    path.write_bytes(whole[:cut] + (b"\0" * 7 if torn and cut < len(whole) else b""))
    before = read_jsonl(path)
    complete = sum(len(line) <= cut for line in (whole[: 12 * (i + 1) - 1] for i in range(5)))
    if not torn:
        assert [record["step"] for record in before] == list(range(complete))
    with JsonlWriter(path) as writer:
        writer.write({"step": "next"})
    assert read_jsonl(path, tolerate_torn_tail=False) == [*before, {"step": "next"}]


def test_a_torn_line_longer_than_a_block_is_cut(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"step": 0}\n{"text": "' + b"x" * 200_000)
    with JsonlWriter(path) as writer:
        writer.write({"step": 1})
    assert read_jsonl(path) == [{"step": 0}, {"step": 1}]


def test_a_full_disk_in_the_middle_of_a_line_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "m.jsonl"
    write = os.write
    with JsonlWriter(path) as writer:
        writer.write({"step": 0})

        def fill_up(fd, data):
            if len(data) <= 4:
                raise OSError(errno.ENOSPC, "full")
            return write(fd, data[:4])

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", fill_up)
            with pytest.raises(StorageError, match="the disk is full") as caught:
                writer.write({"step": 1})
        assert caught.value.where == str(path)
        writer.write({"step": 2})  # somebody made room
    assert read_jsonl(path, tolerate_torn_tail=False) == [{"step": 0}, {"step": 2}]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_really_full_device(tmp_path):
    link = tmp_path / "m.jsonl"
    link.symlink_to("/dev/full")
    writer = JsonlWriter(link)
    with pytest.raises(StorageError, match="the disk is full"):
        writer.write({"step": 0})


def test_writing_to_a_closed_file_is_refused(tmp_path):
    writer = JsonlWriter(tmp_path / "m.jsonl")
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="is closed"):
        writer.write({})


def test_not_finite_never_reaches_the_file(tmp_path):
    path = tmp_path / "m.jsonl"
    with JsonlWriter(path) as writer, pytest.raises(ValueError, match="x is not finite"):
        writer.write({"x": math.nan})
    assert path.read_bytes() == b""


@pytest.mark.parametrize("line", [b"{broken", b"[1]", b"3", b'{"x": NaN}'])
def test_a_bad_line_before_the_last_is_named_by_number(tmp_path, line):
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"a": 1}\n\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(InputError, match="not a JSON object") as caught:
        read_jsonl(path)
    assert caught.value.where == f"{path}:3"


def test_a_file_by_people_may_not_be_torn_but_may_lack_the_last_line_end(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\r\n{"a": 2}')
    assert read_jsonl(path, tolerate_torn_tail=False) == [{"a": 1}, {"a": 2}]
    path.write_bytes(b'{"a": 1}\n{"a": ')
    with pytest.raises(InputError, match="not a JSON object"):
        read_jsonl(path, tolerate_torn_tail=False)


def test_truncate_keeps_lines_byte_for_byte(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"step":0,  "x": 1e-3}\n{"step": 1}\n{"step":2}\n{"st')
    assert truncate_jsonl(path, lambda record: record["step"] != 1) == 1
    assert path.read_bytes() == b'{"step":0,  "x": 1e-3}\n{"step":2}\n'


def test_truncate_leaves_an_absent_file_absent(tmp_path):
    assert truncate_jsonl(tmp_path / "m.jsonl", lambda _record: True) == 0
    assert not (tmp_path / "m.jsonl").exists()


# --- folders --------------------------------------------------------------------------------------------------------


def make_folder(path: Path, text: str = "weights") -> Path:
    (path / "sub").mkdir(parents=True)
    (path / "a.bin").write_text(text)
    (path / "sub" / "b.json").write_text("{}")
    return path


def test_a_published_folder_is_complete_and_alone(tmp_path):
    publish_directory(make_folder(tmp_path / ".staging"), tmp_path / "step-1")
    assert os.listdir(tmp_path) == ["step-1"]
    assert is_complete(tmp_path / "step-1")
    assert damage(tmp_path / "step-1") is None
    assert (tmp_path / "step-1" / "sub" / "b.json").read_text() == "{}"


def test_publishing_replaces_an_older_folder(tmp_path):
    publish_directory(make_folder(tmp_path / "s1", "old"), tmp_path / "final")
    publish_directory(make_folder(tmp_path / "s2", "new"), tmp_path / "final")
    assert (tmp_path / "final" / "a.bin").read_text() == "new"
    assert os.listdir(tmp_path) == ["final"]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: (path / MARKER).unlink(), "COMPLETE is missing"),
        (lambda path: (path / "a.bin").unlink(), "a.bin is missing"),
        (lambda path: (path / "a.bin").write_text("weight"), "a.bin has changed its size"),
        (lambda path: (path / MARKER).write_text('{"files'), "COMPLETE is not readable"),
        (lambda path: (path / MARKER).write_text("[]"), "COMPLETE is not readable"),
    ],
)
def test_damage_is_seen_without_reading_contents(tmp_path, harm, reason):
    path = tmp_path / "final"
    publish_directory(make_folder(tmp_path / "s"), path)
    harm(path)
    assert not is_complete(path)
    assert damage(path) == reason


def test_a_flipped_byte_is_seen_by_reading_contents(tmp_path):
    path = tmp_path / "final"
    publish_directory(make_folder(tmp_path / "s"), path)
    (path / "a.bin").write_text("weighty"[:6] + "X")
    assert is_complete(path)
    assert damage(path) == "a.bin has changed its contents"


def test_an_absent_folder_is_not_complete(tmp_path):
    assert not is_complete(tmp_path / "absent")


def test_a_marker_left_in_the_staging_folder_is_made_anew(tmp_path):
    staging = make_folder(tmp_path / "s")
    (staging / MARKER).write_text('{"files": {"gone": {"bytes": 1, "sha256": ""}}}')
    publish_directory(staging, tmp_path / "final")
    assert damage(tmp_path / "final") is None


@pytest.mark.parametrize("kill_at", range(18))
def test_a_kill_while_publishing_never_leaves_a_half_folder(tmp_path, monkeypatch, kill_at):
    final = tmp_path / "final"
    publish_directory(make_folder(tmp_path / "s1", "old"), final)
    staging = make_folder(tmp_path / "s2", "new")
    calls = iter(range(1000))

    def counted(function):
        def call(*arguments, **options):
            if next(calls) == kill_at:
                raise KeyboardInterrupt  # stands for the kill: nothing after this line runs
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        for name in ("fsync", "rename", "write", "unlink", "rmdir"):
            patched.setattr(os, name, counted(getattr(os, name)))
        try:
            publish_directory(staging, final)
        except KeyboardInterrupt:
            pass
    complete = [path for path in tmp_path.iterdir() if is_complete(path)]
    assert complete, "neither the old folder nor the new one survived"
    if final.exists():
        assert damage(final) is None


def test_a_refusing_disk_while_publishing_is_named(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.ENOSPC, "full")

    staging = make_folder(tmp_path / "s")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="the disk is full") as caught:
        publish_directory(staging, tmp_path / "final")
    assert caught.value.where == str(tmp_path / "final")
    assert not (tmp_path / "final").exists()


# --- hashes ---------------------------------------------------------------------------------------------------------


def test_content_hash_ignores_where_things_lie(tmp_path):
    first, second = make_folder(tmp_path / "x"), make_folder(tmp_path / "y")
    assert content_hash(first) == content_hash(second)
    assert content_hash(first / "a.bin") == content_hash(second / "a.bin")
    assert content_hash(first).startswith("sha256:")


def test_content_hash_sees_content_names_kinds_and_boundaries(tmp_path):
    folder = make_folder(tmp_path / "x")
    hashes = [content_hash(folder)]
    (folder / "a.bin").rename(folder / "c.bin")
    hashes.append(content_hash(folder))
    hashes += [content_hash(folder / "c.bin"), content_hash("weights"), content_hash(b"weights")]
    hashes += [
        content_hash("ab", "c"),
        content_hash("a", "bc"),
        content_hash("abc"),
        content_hash(),
    ]
    assert len(set(hashes)) == len(hashes)


def test_content_hash_of_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        content_hash(tmp_path / "absent")


def test_content_hash_never_changes():
    # caches and manifests hold these
    assert (
        content_hash("a", b"b")
        == "sha256:ca65f710d4cb84c41bb0176059f3e6dcf68c9b96a291d98b4495c05fd264e6bc"
    )
