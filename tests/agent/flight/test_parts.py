"""The parts of a flight record: what fits, what the heap is made of, what the kernel's log says."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from memwatch.agent.config import AgentConfig
from memwatch.agent.flight import kernel_log
from memwatch.agent.flight.desk import FlightDesk
from memwatch.agent.flight.heap_rows import heap_rows
from memwatch.agent.flight.recorder import Recorder
from memwatch.agent.flight.slots import NO_SLOT, JobSlots, is_at_limit
from memwatch.agent.work import meter
from memwatch.agent.work.job import Job, running
from memwatch.records import MB, BigContainer, MemorySnapshot
from memwatch.records.flight import MAX_SUMMARY, TypeSize
from memwatch.sampling.identity import describe_process
from memwatch.transport.flights import folder, layout
from memwatch.transport.private_folder import Folder
from tests.transport.flights.files import NONCE, WHO

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(Folder(tmp_path / "mw"), JobSlots())
    made.open(folder.file_name(1, 4711, NONCE), WHO)
    yield made
    made.close()


def job(name: str, *, limit_s: float = 0.0, began: float = 0.0) -> Job:
    made = Job()
    made.kind, made.name, made.limit_s, made.began = "task", name, limit_s, began
    made.cut_off, made.slot, made.noted = False, NO_SLOT, None
    return made


def test_long_names_are_cut_and_rows_left_out_until_it_fits(recorder: Recorder) -> None:
    long = [("Quöte😀" * 50, 10**12 - number) for number in range(10)]
    recorder.facts(MemorySnapshot(timestamp=NOW, rss_mb=5.0), long, (1, 2))
    recorder.summary([("shop.Quote" * 40, 10**9, 1234.56)] * 15, NOW.isoformat())
    record = recorder.read()
    assert record is not None
    assert record.rss_mb == 5.0
    assert 2 <= len(record.growers) < 10
    assert record.growers[0][1] == 10**12
    assert len(record.summary) >= 10
    assert (record.oom_kills, record.oom_group_kills, record.summary_at) == (1, 2, NOW)


@pytest.mark.parametrize("spans", [False, True])
def test_a_record_has_room_for_spans_where_they_are_wanted(tmp_path: Path, spans: bool) -> None:
    """Without them it has the size that older versions read."""
    made = Recorder(Folder(tmp_path / "mw"), JobSlots(spans=spans))
    made.open(folder.file_name(1, 4711, NONCE), WHO)
    first, second = job("first", began=1.0), job("second", began=2.0)
    for each in (first, second):
        made.slots.begin(each)
    made.slots.note_span(second, 5, 7)
    (file,) = (tmp_path / "mw" / folder.FLIGHTS).iterdir()
    assert file.stat().st_size == (20 if spans else 16) * 1024
    found = layout.read(file.read_bytes()).flight.running
    assert [each.span for each in found] == ["", f"{5:032x}-{7:016x}" if spans else ""]
    made.close()


def test_the_meter_begins_after_the_record_was_opened(tmp_path: Path) -> None:
    """As under ``memwatch run``, where the agent may have reported before the hooks are in place."""
    config = AgentConfig(transport=f"local:{tmp_path / 'mw'}", command_key=b"k" * 32, host="here", traces="links")
    desk = FlightDesk(config, pytest.fail)
    process = describe_process(service="web", host="here", release="", nonce=NONCE, cpu_budget_percent=1.0)
    desk.step(process, 0.0, away=False)
    meter.begin_process(recorded=True, traces="links")
    try:
        desk.step(process, 1.0, away=False)
        slots = meter.slots()
        assert slots is not None
        slots.begin(running := job("shop.sync", began=1.0))
        slots.note_span(running, 5, 7)
        file = tmp_path / "mw" / folder.FLIGHTS / desk._recorder.name
        (found,) = layout.read(file.read_bytes()).flight.running
        assert (found.name, found.span) == ("shop.sync", f"{5:032x}-{7:016x}")
    finally:
        meter.end_process()
        desk.close()


def test_the_last_two_minutes_are_kept(recorder: Recorder) -> None:
    for number in range(300):
        recorder.second(float(number))
    record = recorder.read()
    assert record is not None
    assert [mb for _at, mb in record.rss_seconds] == [float(number) for number in range(180, 300)]


def test_more_jobs_than_there_is_room_for(recorder: Recorder) -> None:
    jobs = [job(f"n{number}", began=float(number)) for number in range(50)]
    for each in jobs:
        recorder.slots.begin(each)
    record = recorder.read()
    assert record is not None
    assert [each.name for each in record.running] == [f"n{number}" for number in range(24)], "the eldest"
    for each in jobs:
        recorder.slots.end(each, 1.0)
    record = recorder.read()
    assert record is not None
    assert record.running == ()
    assert [each.name for each in record.recent] == [f"n{number}" for number in range(43, 23, -1)]
    for each in jobs[44:]:
        recorder.slots.begin(each)
    record = recorder.read()
    assert record is not None
    assert [each.name for each in record.running] == [f"n{number}" for number in range(44, 50)]
    assert len(record.recent) == 20


def test_a_job_that_has_ended_stands_with_the_name_it_had_at_its_end(recorder: Recorder) -> None:
    named, unnamed = job("shop:index", began=5.0), job("", began=6.0)
    for each in (named, unnamed):
        recorder.slots.begin(each)
    unnamed.name = "shop:basket"
    recorder.slots.end(named, 1.5)
    recorder.slots.end(unnamed, 2.5)
    record = recorder.read()
    assert record is not None
    assert record.running == ()
    assert [(each.name, each.seconds) for each in record.recent] == [("shop:basket", 2.5), ("shop:index", 1.5)]
    assert record.recent[0].began - record.recent[1].began == pytest.approx(1.0)


def test_a_view_and_a_command_of_one_name_are_not_confused(recorder: Recorder) -> None:
    view, command, task = job("index", began=1.0), job("index", began=2.0), job("index", began=3.0)
    view.kind, command.kind = "view", "command"
    for each in (view, command, task):
        recorder.slots.begin(each)
    record = recorder.read()
    assert record is not None
    assert [(each.kind, each.name) for each in record.running] == [(k, "index") for k in ("view", "command", "task")]


def test_a_job_at_its_limit_stays_until_the_next_begins(recorder: Recorder) -> None:
    killed, following = job("killed", limit_s=10.0), job("next")
    recorder.slots.begin(killed)
    recorder.slots.end(killed, 9.5)
    record = recorder.read()
    assert record is not None
    assert [each.name for each in record.running] == ["killed"]
    recorder.slots.begin(following)
    record = recorder.read()
    assert record is not None
    assert [each.name for each in record.running] == ["next"]
    assert not is_at_limit(100.0, 0.0)
    assert not is_at_limit(100.0, None)


def test_what_fills_the_heap_is_said_largest_first() -> None:
    snapshot = MemorySnapshot(
        timestamp=NOW,
        top_objects={"dict": 1000, "shop.Quote": 50_000, "list": 10},
        type_sizes={"dict": 2 * MB, "list": 100},
        big_containers=(
            BigContainer(type="list", length=4096, holds="bytes", name="shop.leaks.FRAGMENTS", entry_bytes=float(MB)),
            BigContainer(type="dict", length=2000),
        ),
    )
    rows = heap_rows(snapshot)
    assert rows[0] == TypeSize("bytes in list shop.leaks.FRAGMENTS", 4096, 4096.0)
    assert rows[1] == TypeSize("dict", 1000, 2000.0)
    assert rows[-1] == TypeSize("shop.Quote", 50_000) or TypeSize("shop.Quote", 50_000) in rows
    many = MemorySnapshot(timestamp=NOW, top_objects={f"t{number}": number for number in range(100)})
    assert len(heap_rows(many)) == MAX_SUMMARY


ENTRIES = [
    b"6,1,1000,-;Killed process 7 (python) total-vm:1kB",
    b"6,2,5000000,-;python[77]: segfault at 0 ip 0 sp 0 error 4",
    b"6,3,6000000,-;Memory cgroup out of memory: Killed process 7 (celery), anon-rss:1234kB\n SUBSYSTEM=x",
    b"6,4,7000000,-;Killed process 77777 (other)",
]
OOM = "Memory cgroup out of memory: Killed process 7 (celery), anon-rss:1234kB"
MACHINE = 0xEFFFFFFC


def asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, entries: list[bytes | OSError], pid: int, ticks: int
) -> kernel_log.Said:
    """The device gives one entry a read, and none blocks; here they come from a list."""
    waiting = [*entries, BlockingIOError()]

    def read(_descriptor: int, _size: int) -> bytes:
        entry = waiting.pop(0)
        if isinstance(entry, OSError):
            raise entry
        return entry

    log = tmp_path / "kmsg"
    log.write_text("")
    monkeypatch.setattr(kernel_log.os, "read", read)
    return kernel_log.about(pid, ticks, log=str(log), pid_space=MACHINE)


@pytest.mark.parametrize(
    ("pid", "ticks", "line"),
    [(7, 1, OOM), (7, 10**6, ""), (77, 1, "python[77]: segfault at 0 ip 0 sp 0 error 4"), (777, 1, "")],
)
def test_the_kernels_log_is_asked_for_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pid: int, ticks: int, line: str
) -> None:
    assert asked(monkeypatch, tmp_path, [*ENTRIES], pid, ticks) == (line, True)


def test_a_log_that_begins_after_the_process_is_not_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, tmp_path, [*ENTRIES[1:]], 777, 100) == ("", False)
    assert asked(monkeypatch, tmp_path, [BrokenPipeError(), *ENTRIES], 7, 100) == (OOM, False)
    assert asked(monkeypatch, tmp_path, [], 7, 100) == ("", False)
    assert asked(monkeypatch, tmp_path, [b"no entry"], 7, 100) == ("", False)
    assert asked(monkeypatch, tmp_path, [ENTRIES[0], PermissionError()], 7, 100) == ("", False)


def test_in_a_container_pids_mean_others_in_the_kernels_log(tmp_path: Path) -> None:
    assert kernel_log.about(7, 0, log=str(tmp_path), pid_space=1) == ("", False)
    assert kernel_log.about(7, 0, log=str(tmp_path / "none"), pid_space=MACHINE) == ("", False)


def test_the_file_is_of_one_size_and_the_users_alone(recorder: Recorder, tmp_path: Path) -> None:
    (file,) = (tmp_path / "mw" / "flights").iterdir()
    status = file.stat()
    assert (status.st_size, status.st_mode & 0o777) == (layout.SIZE, 0o600)
    assert status.st_blocks * 512 >= layout.SIZE, "no hole: a full disk cannot kill who writes"
    assert status.st_uid == os.geteuid()


class Interrupt(BaseException):
    """What a signal's handler raises, e.g. at a soft time limit."""


def _interrupted(place: int) -> tuple[bool, list[str], int]:
    """A job of which one line raises: whether there are so many lines, which jobs run for ever, and lost slots."""
    lines = 0

    def trace(frame: FrameType, event: str, _value: object) -> Any:
        nonlocal lines
        if "memwatch" not in frame.f_globals.get("__name__", ""):
            return None
        lines += event == "line"
        if event == "line" and lines == place:
            raise Interrupt
        return trace

    meter.begin_process(recorded=True)
    slots = meter.slots()
    assert slots is not None
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        begun = meter.begin("task", "shop.export", limit_s=5.0)
        assert begun is not None
        begun.end()
    except Interrupt:
        pass
    finally:
        sys.settrace(before)
    running.set(None)
    begun = None
    gc.collect()
    return lines >= place, [row[1] for row in layout._jobs(bytes(slots.store), layout.RUNS)], len(slots._free)


def test_wherever_a_signals_handler_raises_no_job_runs_for_ever(recwarn: pytest.WarningsRecorder) -> None:
    place = 1
    while (found := _interrupted(place))[0]:
        assert found[1:] == ([], layout.MAX_JOBS), f"line {place}"
        place += 1
    assert place > 50
    assert not recwarn.list, "nor is anything printed of one that was half made"
    meter.end_process()


def test_at_no_moment_a_job_is_mixed_up_with_the_one_before_it_in_its_place() -> None:
    """A process may be killed between any two lines."""
    meter.begin_process(recorded=True)
    slots = meter.slots()
    assert slots is not None
    for _ in range(layout.MAX_JOBS):
        meter.begin("task", "shop.export", limit_s=5.0).end()  # type: ignore[union-attr]
    seen = set()

    def trace(frame: FrameType, _event: str, _value: object) -> Any:
        if "memwatch.agent" not in frame.f_globals.get("__name__", ""):
            return None
        for state in (layout.RUNS, layout.ENDED):
            rows = layout._jobs(bytes(slots.store), state)
            seen.update((state, kind, name, limit_s) for kind, name, _began, _seconds, limit_s, _span in rows)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        meter.begin("view", "index").end()  # type: ignore[union-attr]
    finally:
        sys.settrace(before)
    meter.end_process()
    assert seen == {
        (layout.ENDED, "task", "shop.export", 5.0),
        (layout.RUNS, "view", "index", None),
        (layout.ENDED, "view", "index", None),
    }


@pytest.mark.parametrize("name", ["line\nbreak\x00", "x" * 10_000, "\ud800lone"])
def test_a_name_stands_in_the_record_as_it_is_reported(name: str) -> None:
    meter.begin_process(recorded=True)
    slots = meter.slots()
    assert slots is not None
    for _ in range(2):
        job = meter.begin("task", name)
        assert job is not None
        ((_kind, found, *_rest),) = layout._jobs(bytes(slots.store), layout.RUNS)
        assert found == job.name.encode("utf-8", "replace")[: layout.NAME_BYTES].decode()
        assert found.isprintable()
        job.end()
    meter.end_process()
