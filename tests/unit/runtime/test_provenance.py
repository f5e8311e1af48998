"""Where a result comes from, asked of a real git repository and of places without one."""

from __future__ import annotations

import subprocess
import time

import pytest

from runtime.run import provenance


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True
    )


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "code.py").write_text("x = 1\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_a_clean_checkout(repository, tmp_path):
    state = provenance.git_state(repository / "package", tmp_path)
    assert len(state.pop("commit")) == 40
    assert state == {"dirty": False, "of": "package"}


def test_a_changed_file_is_dirty_and_a_new_one_is_not(repository, tmp_path):
    (repository / "notes.txt").write_text("")
    assert provenance.git_state(repository / "package", tmp_path)["dirty"] is False
    (repository / "package" / "code.py").write_text("x = 2\n")
    assert provenance.git_state(repository / "package", tmp_path)["dirty"] is True


def test_an_installation_inside_somebodys_repository_is_not_their_code(repository, tmp_path):
    installed = repository / ".venv" / "package"
    installed.mkdir(parents=True)
    assert provenance.git_state(installed, tmp_path) is None
    assert provenance.git_state(installed, repository)["of"] == "working folder"


def test_no_repository_and_no_commit_yet(tmp_path):
    assert provenance.git_state(tmp_path, tmp_path) is None
    git(tmp_path, "init", "-q")
    assert provenance.git_state(tmp_path, tmp_path) is None


def test_no_git_or_one_that_hangs(tmp_path, repository, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_state(repository / "package", repository) is None
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(provenance, "_GIT_TIMEOUT_S", 0.1)
    started = time.monotonic()
    assert provenance.git_state(repository / "package", repository) is None
    assert time.monotonic() - started < 10


def test_versions_are_those_installed():
    found = provenance.versions()
    assert found["python"].startswith("3.")
    assert found["numpy"] == __import__("numpy").__version__
    assert "vllm" not in found or found["vllm"]


def test_time_is_utc_to_the_millisecond():
    text = provenance.now()
    assert text.endswith("+00:00")
    assert len(text) == len("2026-01-02T03:04:05.678+00:00")


def test_hardware_is_described():
    facts = provenance.hardware()
    assert facts["cpus"] >= 1
    assert facts["memory_mib"] > 100
    assert facts["processor"]
    assert isinstance(facts["gpus"], list)
