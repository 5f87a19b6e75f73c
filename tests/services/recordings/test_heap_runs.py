"""Folders of analyses: nobody else's, and none is left for ever."""

from __future__ import annotations

import fcntl
import io
import os
import tempfile
import time
from pathlib import Path

import pytest

from memwatch.services.recordings import heap_runs
from tests.waiting import until


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def aged(folder: Path) -> Path:
    """Nothing has come or gone in it for long."""
    then = time.time() - 2 * heap_runs.LEFT_S
    os.utime(folder, (then, then))
    return folder


def test_what_nobody_has_taken_is_swept(temporary: Path) -> None:
    killed, new = (temporary / f"{heap_runs.PREFIX}{name}" for name in ("abc.analysis-1", "abc.analysis-2"))
    for folder in (killed, new):
        folder.mkdir(mode=0o700)
        (folder / "dump.heap").write_bytes(b"x")
    assert heap_runs.sweep() == 0
    aged(killed)
    assert heap_runs.sweep() == 1
    assert list(temporary.iterdir()) == [new]


def test_folders_that_others_can_write_to_and_links_are_left_alone(temporary: Path) -> None:
    theirs, kept = temporary / f"{heap_runs.PREFIX}abc.analysis-1", temporary / "kept"
    theirs.mkdir()
    theirs.chmod(0o777)
    kept.mkdir(mode=0o700)
    (kept / "made").touch()
    (temporary / f"{heap_runs.PREFIX}abc.analysis-2").symlink_to(kept)
    aged(theirs)
    assert heap_runs.of("abc", "analysis") is None
    assert heap_runs.sweep() == 0
    assert (kept / "made").exists()


def test_what_is_no_dump_ends_with_the_reason(temporary: Path) -> None:
    run = heap_runs.start(io.BytesIO(b"no dump"), heap_runs.new_name("abc", "analysis"), "analysis")
    until(lambda: not run.is_running())
    assert run.reason() == "start: the file is cut off"
    assert not run.outcome.exists()
    with run.claimed() as ours:
        assert ours
    assert not list(temporary.iterdir())
    until(lambda: heap_runs.reap() == 0)


def test_one_that_runs_is_not_swept(temporary: Path) -> None:
    folder = temporary / f"{heap_runs.PREFIX}abc.analysis-1"
    folder.mkdir(mode=0o700)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        aged(folder)
        assert heap_runs.sweep() == 0
        assert heap_runs.Run(folder).is_running()
    assert heap_runs.sweep() == 1


def test_one_ends_with_its_folder(temporary: Path) -> None:
    run = heap_runs.start(io.BytesIO(b"no dump"), heap_runs.new_name("abc", "analysis"), "analysis")
    run.remove()
    until(lambda: heap_runs.reap() == 0)
    assert heap_runs.of("abc", "analysis") is None
    assert not list(temporary.iterdir())
