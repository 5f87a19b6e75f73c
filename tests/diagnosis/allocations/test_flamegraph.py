"""Flame graphs: a capture of memray that can be read, refused where it would do harm, and nothing left behind."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memwatch.diagnosis import options
from memwatch.diagnosis.allocations import flamegraph
from memwatch.diagnosis.allocations.flamegraph import FlamegraphRecording, forks
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.cost_meter import Meter

memray = pytest.importorskip("memray")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def recording(**given: Any) -> FlamegraphRecording:
    return FlamegraphRecording(options.flamegraph({"duration_s": 0.5, **given}), Host(program="gunicorn worker"))


def record(each_step: Callable[[], Any] = lambda: None, **given: Any) -> bytes:
    """The capture of a recording in a thread of its own, while ``each_step`` is called again and again here."""
    work = recording(**given).run(Meter())
    ended: list[Any] = []

    def run() -> None:
        try:
            while True:
                time.sleep(min(next(work), 0.05))
        except StopIteration as end:
            ended.append(end.value)
        except Refused as refusal:
            ended.append(refusal)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        if flamegraph._tracking.active:
            each_step()
        thread.join(0.02)
    assert not flamegraph._tracking.active
    if isinstance(ended[0], Refused):
        raise ended[0]
    assert isinstance(ended[0], bytes)
    return ended[0]


def open_files() -> set[str]:
    """Of the folder for temporary files."""
    names = {str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.exists()}
    return {name for name in names if name.startswith(tempfile.gettempdir())}


@pytest.mark.parametrize("mode", ["leaks", "peak"])
def test_a_capture_names_the_function_that_allocates(mode: str, tmp_path: Path) -> None:
    kept: list[bytes] = []

    def hoard() -> None:
        kept.append(bytes(300_000))

    before = open_files()
    capture = record(hoard, mode=mode)
    assert capture.startswith(b"memray")
    file = tmp_path / "capture.bin"
    file.write_bytes(capture)
    with memray.FileReader(file) as reader:
        read = reader.get_leaked_allocation_records if mode == "leaks" else reader.get_high_watermark_allocation_records
        records = list(read())
        frames = {frame[0] for each in records for frame in each.stack_trace()}
    assert "hoard" in frames
    assert sum(each.size for each in records) >= 300_000
    assert open_files() <= before, "the capture has no name and is closed"


def test_it_can_be_repeated_and_leaves_memray_idle() -> None:
    for _ in range(2):
        assert record().startswith(b"memray")
    with memray.Tracker(destination=memray.FileDestination("/dev/null", overwrite=True)):
        pass
    assert threading.getprofile() is None


def test_a_recording_that_is_given_up_is_idle_at_once() -> None:
    before = open_files()
    work = recording(duration_s=60).run(Meter())
    next(work)
    assert flamegraph._tracking.active
    work.close()
    assert not flamegraph._tracking.active
    assert open_files() <= before


def test_a_fork_ends_it_and_what_was_seen_until_then_is_kept() -> None:
    def fork() -> None:
        child = os.fork()
        if child == 0:
            os._exit(int(flamegraph._tracking.active))
        assert os.waitpid(child, 0)[1] == 0
        assert not flamegraph._tracking.active

    assert record(fork, duration_s=60).startswith(b"memray")


def test_a_capture_that_grows_too_large_is_given_up() -> None:
    with pytest.raises(Refused, match="shorter time"):
        record(max_file_mb=0.001)


def test_processes_that_fork_are_refused() -> None:
    assert forks("gunicorn master", ())
    assert forks("celery main", ("celery", "-A", "site", "worker"))
    assert not forks("celery main", ("celery", "-A", "site", "worker", "--pool=threads"))
    assert not forks("celery main", ("celery", "worker", "-P", "solo"))
    assert not forks("gunicorn worker", ())
    with pytest.raises(Refused, match="one of its workers"):
        FlamegraphRecording(options.flamegraph({}), Host(program="celery main", arguments=("celery", "worker")))


def test_a_process_with_a_forked_child_is_refused() -> None:
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(done[1])
        os.write(ready[1], b"r")
        os.read(done[0], 1)
        os._exit(0)
    try:
        os.read(ready[0], 1)
        with pytest.raises(Refused, match="fork"):
            recording()
    finally:
        for end in (*ready, *done):
            os.close(end)
        os.waitpid(child, 0)
    recording()


def test_a_process_without_memray_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "memray", None)
    with pytest.raises(Refused, match=r"memwatch\[flamegraph\]"):
        recording()


def test_other_tools_are_not_disturbed() -> None:
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="tracemalloc"):
            recording()
    finally:
        tracemalloc.stop()
    threading.setprofile(lambda *_: None)
    try:
        with pytest.raises(Refused, match="profiler"):
            recording()
    finally:
        threading.setprofile(None)  # type: ignore[arg-type]
    other = memray.Tracker(destination=memray.FileDestination("/dev/null", overwrite=True))
    with other, pytest.raises(Refused, match="profiler"):
        recording()


def test_passwords_of_the_command_line_do_not_get_into_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["serve", "--db-password", "hunter2", "redis://me:hunter2@host/0"]
    monkeypatch.setattr(sys, "argv", arguments)
    capture = record()
    assert b"hunter2" not in capture
    assert b"serve" in capture
    assert sys.argv is arguments
