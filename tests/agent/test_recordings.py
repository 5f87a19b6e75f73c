"""An agent that records: started at once, one at a time, cancelled, and its outcome sent in parts."""

from __future__ import annotations

import base64
import io
import json
import math
import secrets
import tempfile
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from memwatch.agent import own, recordings
from memwatch.agent.recordings import RecordingDesk, upload
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.copy.parent import impossible
from memwatch.diagnosis.recorder import Outcome
from memwatch.heapdump import reader
from memwatch.records import MemorySnapshot
from memwatch.transport import recordings as transport
from memwatch.transport.recordings import join
from memwatch.transport.wire import Answer, Command, RecordingPart
from tests.agent.conftest import Watched

MakeWatched = Callable[..., Watched]


class Kept:
    """What the recordings look for."""


KEPT = [Kept() for _ in range(200)]


def ask(watched: Watched, name: str, **arguments: Any) -> Answer:
    report = watched.ask(Command.make(name, watched.agent.process.key, **arguments), timeout_s=30)
    assert report is not None
    return report.answers[0]


def start(watched: Watched, kind: str, **options: Any) -> str:
    wanted = secrets.token_hex(8)
    answer = ask(watched, "record", recording=wanted, kind=kind, options=options)
    assert (answer.state, answer.detail) == ("done", "started"), answer
    return wanted


def parts_of(watched: Watched, recording: str) -> list[RecordingPart]:
    return [part for report in watched.collect() for part in report.recordings if part.recording == recording]


def outcome(watched: Watched, recording: str) -> list[RecordingPart]:
    """The parts that tell how it ended, once all are there."""

    def over() -> list[RecordingPart]:
        return [part for part in parts_of(watched, recording) if part.state != "running"]

    watched.wait(lambda _: bool(over()) and len(over()) >= over()[0].parts, within_s=90)
    return over()


def test_a_recording_is_answered_at_once_and_its_outcome_follows_with_what_it_cost(make_watched: MakeWatched) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    recording = start(watched, "referrers", type=f"{__name__}.Kept")
    parts = outcome(watched, recording)
    result = json.loads(join(parts) or b"")
    assert result["instances"] == 200
    assert [f"{__name__}.KEPT (list, 200 entries)", f"{__name__}.Kept"] in [each["path"] for each in result["chains"]]
    assert parts_of(watched, recording)[0].state == "running"
    assert {"duration_s", "cpu_ms", "longest_pause_ms", "rss_added_mb", "bytes"} <= set(parts[-1].measured)
    assert parts[-1].content_type == "application/json"


def test_a_second_one_is_refused_while_one_runs_and_a_cancel_ends_it(make_watched: MakeWatched) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    running = start(watched, "allocations", duration_s=300)
    watched.wait(lambda _: tracemalloc.is_tracing(), within_s=30)
    second = ask(watched, "record", recording=secrets.token_hex(8), kind="heap_summary", options={})
    assert second.state == "refused"
    assert second.detail.startswith(f"busy: already recording {running}")
    assert ask(watched, "ping").state == "done", "the agent does its other work meanwhile"
    assert ask(watched, "cancel_recording", recording="f" * 16).state == "refused"
    assert tracemalloc.is_tracing()
    assert ask(watched, "cancel_recording", recording=running).state == "done"
    assert not tracemalloc.is_tracing()
    (part,) = outcome(watched, running)
    assert (part.state, part.error) == ("cancelled", "cancelled on command")
    assert ask(watched, "cancel_recording", recording=running).state == "refused"
    again = start(watched, "heap_summary")
    assert outcome(watched, again)[-1].state == "done"


def test_a_type_that_is_not_there_fails_with_a_remedy(make_watched: MakeWatched) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    (part,) = outcome(watched, start(watched, "referrers", type="nowhere.Kept"))
    assert part.state == "failed"
    assert f"{__name__}.Kept" in part.error


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ({}, "16 hexadecimal"),
        ({"recording": "../../x", "kind": "referrers"}, "16 hexadecimal"),
        ({"recording": "0" * 16, "kind": ["referrers"]}, "16 hexadecimal"),
        ({"recording": "0" * 16, "kind": "referrers", "options": [1]}, "16 hexadecimal"),
        ({"recording": "0" * 16, "kind": "core_dump"}, "one of referrers"),
        ({"recording": "0" * 16, "kind": "referrers"}, "type is missing"),
        ({"recording": "0" * 16, "kind": "allocations", "options": {"frames": "x"}}, "frames is 'x'"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_a_sentence(arguments: dict[str, Any], detail: str) -> None:
    desk = RecordingDesk(Host)
    state, said = desk.record(arguments)
    assert state == "refused"
    assert detail in said
    assert not desk.parts


@pytest.mark.parametrize(
    ("switched_on", "of_memwatch", "state"), [(True, False, "done"), (False, False, "refused"), (True, True, "refused")]
)
def test_values_are_recorded_where_that_is_switched_on_and_never_in_memwatchs_own_processes(
    make_watched: MakeWatched, monkeypatch: pytest.MonkeyPatch, *, switched_on: bool, of_memwatch: bool, state: str
) -> None:
    monkeypatch.setattr(own, "_declared", of_memwatch)
    watched = make_watched(snapshot_interval=60.0, record_values=switched_on).listens()
    options = {"type": f"{__name__}.Kept", "values": True}
    assert ask(watched, "record", recording="0" * 16, kind="referrers", options=options).state == state


def test_an_agent_that_ends_stops_what_it_records_and_says_so(make_watched: MakeWatched) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    running = start(watched, "allocations", duration_s=300)
    watched.wait(lambda _: tracemalloc.is_tracing() and bool(watched.reports), within_s=30)
    assert watched.agent.thread.stop(10)
    assert not tracemalloc.is_tracing()
    (part,) = outcome(watched, running)
    assert part.state == "cancelled"
    assert "process ended" in part.error


def test_a_failure_of_the_recorder_itself_reaches_the_page_and_not_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from memwatch.diagnosis.heap_summary import HeapSummaryRecording

    def fail(_self: object, _meter: object) -> Any:
        yield 0.0
        raise MemoryError("no more")

    monkeypatch.setattr(HeapSummaryRecording, "run", fail)
    desk = RecordingDesk(Host)
    assert desk.record({"recording": "0" * 16, "kind": "heap_summary"}) == ("done", "started")
    desk.step()
    desk.step()
    assert [part.state for part in desk.parts] == ["running", "failed"]
    assert "MemoryError: no more" in desk.parts[-1].error


def test_a_child_forked_amid_the_loading_of_a_recorder_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "_loading_in", 1)
    monkeypatch.setattr(recordings, "_spoilt_in", 0)
    recordings.begin_anew()
    state, detail = RecordingDesk(Host).record({"recording": "0" * 16, "kind": "heap_summary"})
    assert state == "refused"
    assert "forked" in detail


def test_nothing_that_recordings_need_is_loaded_before_one_is_asked_for(run_script: Callable[..., str]) -> None:
    printed = run_script(
        """
        import sys, time
        from memwatch import agent
        from memwatch.transport import open_hub
        from memwatch.transport.wire import Command, Report

        def loaded():
            return sorted(name for name in sys.modules
                          if name in ("tracemalloc", "memray") or name.startswith("memwatch.diagnosis"))

        hub = open_hub(URL)
        running = agent.start(agent.AgentConfig(transport=URL, command_key=KEY, host="h", snapshot_interval=0.2))
        key, until = running.process.key, time.monotonic() + 40
        snapshots = 0
        while snapshots < 2 and time.monotonic() < until:
            deliveries = hub.read(limit=10)
            hub.acknowledge(deliveries)
            snapshots += sum(len(Report.decode(each.payload).snapshots) for each in deliveries)
            time.sleep(0.05)
        print(loaded())
        answer = hub.request({key: Command.make("record", key, recording="0" * 16, kind="heap_summary").encode(KEY)},
                             timeout_s=20)
        print(Report.decode(answer[key]).answers[0].state, "memwatch.diagnosis.heap_summary" in loaded(),
              "memray" in sys.modules, "tracemalloc" in sys.modules)
        agent.stop()
        """
    )
    assert printed.splitlines() == ["[]", "done True False False"]


def copies() -> list[psutil.Process]:
    """The children that are copies of this process; other tests' servers may run beside them."""
    ours = psutil.Process()
    return [child for child in ours.children() if child.cmdline() == ours.cmdline()]


def test_what_a_copy_of_the_process_takes_is_no_growth_of_the_program() -> None:
    desk = RecordingDesk(Host)
    snapshot = MemorySnapshot(timestamp=datetime.now(UTC), uss_mb=90.0, pss_mb=95.0, cgroup_used_mb=200.0)
    assert desk.discount(snapshot) is snapshot
    assert desk.record({"recording": "a" * 16, "kind": "heap_summary", "options": {}})[0] == "done"
    desk.step()
    assert len(copies()) == 1
    found = desk.discount(snapshot)
    assert (found.uss_mb, found.pss_mb) == (None, None), "nearly all of it is shared for a moment"
    assert found.cgroup_used_mb is not None
    assert found.cgroup_used_mb <= 200
    desk.close()
    assert desk.discount(snapshot) is snapshot
    assert copies() == []


def test_an_allocator_check_comes_with_its_figures_and_ends_no_other(make_watched: MakeWatched) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    running = start(watched, "allocations", duration_s=300)
    watched.wait(lambda _: tracemalloc.is_tracing(), within_s=30)
    refused = ask(watched, "record", recording=secrets.token_hex(8), kind="trim", options={})
    assert (refused.state, refused.detail[:30]) == ("refused", "busy: already recording " + running[:6])
    assert ask(watched, "cancel_recording", recording=running).state == "done"
    outcome(watched, running)
    checked = start(watched, "trim", watch_minutes=1)
    result = json.loads(join(outcome(watched, checked)) or b"")
    assert result["rss_before_mb"] > 10
    assert result["trimmed"] is not bool(result["reason"])


def test_a_process_may_end_during_the_call_of_an_allocator_check(run_script: Callable[..., str]) -> None:
    printed = run_script(
        """
        import ctypes, threading, time
        from memwatch import agent
        from memwatch.diagnosis.trim import c_library
        from memwatch.transport import open_hub
        from memwatch.transport.wire import Command, Report

        called = threading.Event()

        def trim(self):
            called.set()
            ctypes.CDLL(None).sleep(60)

        c_library.CLibrary.why_not, c_library.CLibrary._problem = "", lambda self: ""
        c_library.CLibrary.trim = trim
        hub = open_hub(URL)
        running = agent.start(agent.AgentConfig(transport=URL, command_key=KEY, host="h", snapshot_interval=0.2))
        key = running.process.key
        order = Command.make("record", key, recording="0" * 16, kind="trim").encode(KEY)
        until = time.monotonic() + 40
        while not hub.request({key: order}, timeout_s=1) and time.monotonic() < until:
            pass
        print(called.wait(20))
        """,
        timeout_s=55,
    )
    assert printed.strip() == "True"


@pytest.mark.skipif(impossible() is not None, reason="no copy of a process can be had here")
def test_a_heap_dump_is_sent_from_a_file_in_parts(make_watched: MakeWatched) -> None:
    watched = make_watched(snapshot_interval=60.0).listens()
    recording = start(watched, "heap_dump")
    parts = outcome(watched, recording)
    assert {part.content_type for part in parts} == {"application/x-memwatch-heap"}
    assert [part.part for part in parts] == list(range(parts[0].parts))
    file = io.BytesIO(b"".join(base64.b64decode(part.content) for part in parts))
    *_, end = reader.read(file)
    assert isinstance(end, reader.End)
    assert end.counts["objects"] == parts[-1].measured["objects"] > 10_000
    assert parts[-1].measured["bytes"] == len(file.getvalue())
    assert parts[-1].measured["forks"] >= 1


@pytest.mark.skipif(impossible() is not None, reason="no copy of a process can be had here")
def test_a_heap_dump_is_cancelled_while_it_is_written_and_while_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, first, second = RecordingDesk(Host), "1" * 16, "2" * 16
    assert desk.record({"recording": first, "kind": "heap_dump"})[0] == "done"
    desk.step()
    assert desk.cancel({"recording": first}) == ("done", "cancelled")
    assert [part.state for part in desk.parts] == ["running", "cancelled"]
    assert not psutil.Process().children()
    desk.parts.clear()
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the desk closes it
    file.write(bytes(5_000_000))
    monkeypatch.setattr(desk, "_id", second)
    desk._end(Outcome("done", {}, content_type="application/x-memwatch-heap", file=file))
    desk.step()
    assert len(desk.parts) == upload.AT_ONCE
    desk.step()
    assert len(desk.parts) == upload.AT_ONCE, "no more while these wait"
    assert desk.record({"recording": first, "kind": "trim"})[0] == "refused"
    assert desk.cancel({"recording": second}) == ("done", "cancelled")
    assert [part.state for part in desk.parts] == ["cancelled"]
    assert file.closed
    assert desk.next_at == math.inf


def test_a_heap_dump_that_is_too_large_to_send_fails_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_DUMP_BYTES", 1_000)
    desk = RecordingDesk(Host)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the desk closes it
    file.write(bytes(5_000))
    desk._end(Outcome("done", {}, content_type="application/x-memwatch-heap", file=file))
    desk.step()
    assert [part.state for part in desk.parts] == ["failed"]
    assert "5,000 bytes" in desk.parts[0].error
    assert file.closed
