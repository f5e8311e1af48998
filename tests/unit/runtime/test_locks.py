"""Locks within one process; between processes see tests/integration/runtime."""

from __future__ import annotations

import os
import threading
import time

import pytest

from runtime.errors import StorageError
from runtime.locks import OwnedLock, holder_of, is_held


def test_a_lock_excludes_and_names_its_holder(tmp_path):
    path = tmp_path / "x.lock"
    first, second = OwnedLock(path, owner="rl train demo"), OwnedLock(path, owner="other")
    assert not is_held(path)
    assert first.acquire()
    assert first.held and is_held(path)
    assert not second.acquire()
    assert not second.acquire(timeout_s=0.05)
    assert not second.held
    holder = holder_of(path)
    assert (holder.pid, holder.owner) == (os.getpid(), "rl train demo")
    assert str(holder).startswith(f"process {os.getpid()} on ")


def test_a_released_lock_is_free_and_has_no_holder(tmp_path):
    path = tmp_path / "x.lock"
    first, second = OwnedLock(path, owner="a"), OwnedLock(path, owner="b")
    first.acquire()
    first.release()
    first.release()
    assert not is_held(path)
    assert holder_of(path) is None
    assert second.acquire()
    assert holder_of(path).owner == "b"


def test_looking_does_not_take_the_lock_or_change_the_holder(tmp_path):
    path = tmp_path / "x.lock"
    lock = OwnedLock(path, owner="a")
    lock.acquire()
    lock.release()
    assert not is_held(path)
    assert lock.acquire()
    assert is_held(path)
    assert holder_of(path).owner == "a"


def test_looking_does_not_create_the_file(tmp_path):
    assert not is_held(tmp_path / "absent.lock")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_an_unreadable_note_is_no_holder(tmp_path, text):
    (tmp_path / "x.lock.holder").write_text(text)
    assert holder_of(tmp_path / "x.lock") is None


def test_a_lock_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "x.lock"
    with pytest.raises(StorageError, match="File exists") as caught:
        OwnedLock(path, owner="a").acquire()
    assert caught.value.where == str(path)


def test_a_lock_that_may_not_be_opened_counts_as_held(tmp_path, monkeypatch):
    path = tmp_path / "x.lock"
    path.write_text("")

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert is_held(path)


def test_a_holder_who_has_not_written_its_note_yet_is_waited_for(tmp_path):
    path = tmp_path / "x.lock"
    lock = OwnedLock(path, owner="late")
    asking = threading.Event()

    def take() -> None:
        asking.wait()
        time.sleep(0.05)
        lock.acquire()

    thread = threading.Thread(target=take)
    thread.start()
    asking.set()
    assert holder_of(path, wait_s=60).owner == "late"
    thread.join()
    lock.release()
