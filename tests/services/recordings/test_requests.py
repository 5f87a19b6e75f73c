"""Recordings: asked for within limits, stored piece by piece, finished, followed, given up."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.utils import timezone

from memwatch.models import Command, Process, Recording, RecordingPart
from memwatch.sampling.identity import ProcessInfo
from memwatch.services import ActionRefused, retention
from memwatch.services.ingest import reader
from memwatch.services.recordings import progress, requests, results, storage
from memwatch.transport import Hub
from memwatch.transport.recordings import JSON, MEMRAY, split
from memwatch.transport.wire import RecordingPart as Part
from memwatch.transport.wire import Report
from tests import reports
from tests.services.recorded import RESULTS, store_recording
from tests.services.stored import end_process, store_process

pytestmark = pytest.mark.django_db

QUOTE = "shop.leaks.PriceQuote"
RESULT = {"type": QUOTE, "instances": 20_001, "referrers": [], "chains": [], "notes": ["a\x00b \ud800"]}


@pytest.fixture
def who() -> ProcessInfo:
    return reports.process(4711, age_s=600)


@pytest.fixture
def process(hub: Hub, who: ProcessInfo, send: Callable[..., None]) -> Process:
    """A process that is alive and has reported, without anybody who answers."""
    send(reports.report(who, lease_s=600))
    reader.ingest_reports(hub=hub)
    return Process.objects.get(key=who.key)


def arrive(who: ProcessInfo, *parts: Part) -> None:
    reader.take([Report(process=who, sent_at=timezone.now(), lease_s=600, recordings=parts).encode()])


def parts_of(recording: Recording, result: Any = RESULT) -> tuple[Part, ...]:
    return split(
        recording.wire_id, json.dumps(result).encode(), content_type=JSON, measured={"cpu_ms": 12.5, "duration_s": 0.3}
    )


def test_a_result_is_stored_with_what_it_cost(process: Process, who: ProcessInfo, hub: Hub) -> None:
    recording = requests.request(process, "referrers", options={"type": QUOTE}, hub=hub)
    assert recording.state == "requested"
    arrive(who, Part(recording=recording.wire_id, state="running"))
    recording.refresh_from_db()
    assert recording.state == "running"
    arrive(who, *parts_of(recording))
    assert progress.keep_up(hub=hub).finished == 1
    recording.refresh_from_db()
    assert recording.state == "done"
    assert recording.result["instances"] == 20_001
    assert "\x00" not in recording.result["notes"][0]
    assert recording.measured["cpu_ms"] == 12.5
    assert not RecordingPart.objects.exists()


def test_parts_may_come_in_any_order_and_twice(
    process: Process, who: ProcessInfo, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memwatch.transport.recordings.MAX_PART_BYTES", 16)
    recording = requests.request(process, "referrers", options={"type": QUOTE}, hub=hub)
    parts = parts_of(recording)
    assert len(parts) > 3
    arrive(who, *reversed(parts[1:]))
    progress.keep_up(hub=hub)
    recording.refresh_from_db()
    assert recording.state == "running"
    arrive(who, parts[-1], parts[0])
    arrive(who, parts[0])
    progress.keep_up(hub=hub)
    arrive(who, *parts)
    recording.refresh_from_db()
    assert (recording.state, recording.result["type"]) == ("done", QUOTE)
    assert not RecordingPart.objects.exists()


def test_a_process_cannot_write_the_recording_of_another(process: Process, who: ProcessInfo, hub: Hub) -> None:
    recording = requests.request(process, "referrers", options={"type": QUOTE}, hub=hub)
    arrive(reports.process(666), *parts_of(recording))
    progress.keep_up(hub=hub)
    recording.refresh_from_db()
    assert recording.state == "requested"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda _plain: zlib.compress(b"x" * 70_000_000), "unpacks to more than"),
        (lambda _plain: zlib.compress(b'{"a":[' + b"{}," * 1_400_000 + b"{}]}"), "unpacks to more than 4 MB"),
        (lambda plain: zlib.compress(plain)[:-3], "cut off"),
        (lambda _plain: b"not compressed", "cannot be unpacked"),
        (lambda _plain: zlib.compress(b"[1]"), "no JSON object"),
        (lambda _plain: zlib.compress(b"[" * 100_000), "no JSON"),
        (lambda _plain: zlib.compress(b"{nonsense"), "no JSON"),
    ],
)
def test_an_outcome_that_is_none_fails_the_recording_and_says_why(
    process: Process, who: ProcessInfo, hub: Hub, spoil: Callable[[bytes], bytes], says: str
) -> None:
    recording = requests.request(process, "heap_summary", hub=hub)
    content = base64.b64encode(spoil(json.dumps(RESULT).encode())).decode()
    arrive(who, Part(recording=recording.wire_id, state="done", content=content, content_type=JSON))
    progress.keep_up(hub=hub)
    recording.refresh_from_db()
    assert recording.state == "failed"
    assert says in recording.error
    assert not RecordingPart.objects.exists()


def _changed(**fields: Any) -> Any:
    return {**RESULTS["referrers"], **fields}


HOSTILE: dict[str, bytes] = {
    "NaN in a list": b'{"chains": [NaN]}',
    "a number beyond a double": b'{"chains": [1e999], "instances": 1e999}',
    "minus infinity": b'{"instances": -Infinity}',
    "a text for a list": json.dumps(_changed(chains="x")).encode(),
    "a number for a text": json.dumps(_changed(type=7)).encode(),
    "a list for an object": json.dumps(_changed(holder=[1, 2])).encode(),
    "a text for a number": json.dumps(_changed(instances="many")).encode(),
    "true for a number": json.dumps(_changed(instances=True)).encode(),
    "a fraction for a count": json.dumps(_changed(instances=1.5)).encode(),
    "a number beyond every heap": json.dumps(_changed(instances=10**40)).encode(),
    "a size beyond every heap": json.dumps(
        _changed(holder={**RESULTS["referrers"]["holder"], "retained_kb": 1e300})
    ).encode(),
    "a list without end": json.dumps(_changed(notes=["x"] * 5_001)).encode(),
    "texts for chains": json.dumps(_changed(chains=["a", "b"])).encode(),
    "a path of numbers": json.dumps(_changed(chains=[{"path": [1], "count": 1, "root": ""}])).encode(),
    "samples of lists": json.dumps(_changed(samples=[{"a": []}])).encode(),
    "nothing": b"null",
    "a million empty lists": b'{"chains": [' + b"[]," * 1_000_000 + b"[]]}",
    "nested 1,000 deep": b'{"notes": ' + b"[" * 1_000 + b"]" * 1_000 + b"}",
}


@pytest.mark.parametrize("outcome", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_outcome_fails_its_own_recording_and_no_other(
    process: Process, who: ProcessInfo, hub: Hub, outcome: bytes
) -> None:
    hostile = requests.request(process, "referrers", options={"type": QUOTE}, hub=hub)
    arrive(who, *split(hostile.wire_id, outcome, content_type=JSON, measured={}))
    elsewhere = store_process(slot=9, started=timezone.now())
    other = store_recording(elsewhere, "allocations", state="running", result=None, deadline=timezone.now())
    result = progress.keep_up(hub=hub)
    hostile.refresh_from_db()
    other.refresh_from_db()
    assert hostile.state == "failed"
    assert "The outcome is no" in hostile.error
    assert (result.given_up, other.state) == (1, "failed")


def test_a_small_outcome_that_unpacks_to_much_costs_little_memory(process: Process, who: ProcessInfo, hub: Hub) -> None:
    hostile = requests.request(process, "referrers", options={"type": QUOTE}, hub=hub)
    outcome = b'{"chains": [' + b"[]," * 1_300_000 + b"[]]}"
    arrive(who, *split(hostile.wire_id, outcome, content_type=JSON, measured={}))
    tracemalloc.start()
    try:
        progress.keep_up(hub=hub)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 1024 * 1024


def test_an_outcome_that_no_one_foresaw_fails_its_own_recording(
    process: Process, who: ProcessInfo, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = requests.request(process, "referrers", options={"type": QUOTE}, hub=hub)
    arrive(who, *parts_of(first))

    def fails(*_arguments: Any) -> Any:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(results, "_result", fails)
    progress.keep_up(hub=hub)
    first.refresh_from_db()
    assert (first.state, first.error) == ("failed", "The outcome cannot be read; the worker's log says why.")
    assert "a fault of ours" in caplog.text


def test_one_whose_time_is_over_is_given_up_although_no_outcome_can_be_stored(
    process: Process, who: ProcessInfo, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = requests.request(process, "referrers", options={"type": QUOTE}, hub=hub)
    arrive(who, *parts_of(arrived))
    elsewhere = store_process(slot=9, started=timezone.now())
    late = store_recording(elsewhere, "allocations", state="running", result=None, deadline=timezone.now())

    def locked(*_arguments: Any) -> Any:
        raise OperationalError("database is locked")

    monkeypatch.setattr(results, "_result", locked)
    with pytest.raises(OperationalError):
        progress.keep_up(hub=hub)
    states = Recording.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["running", "failed"], "the first is tried again"
    monkeypatch.undo()
    assert progress.keep_up(hub=hub).finished == 1
    late.refresh_from_db()
    assert late.state == "failed"


@pytest.mark.parametrize("result", [{"chains": "x"}, {"sites": {}}, {"instances": "many"}])
def test_a_row_of_before_with_another_shape_says_so_instead_of_breaking_a_page(process: Process, result: Any) -> None:
    row = store_recording(process, "referrers", result=result)
    if "sites" in result:
        assert storage.result_of(row)["chains"] == []
    else:
        with pytest.raises(storage.OutcomeMissing, match="no result of its kind"):
            storage.result_of(row)


@pytest.mark.parametrize("outcome", [b'{"notes": ' + b"[" * 100_000, b'{"notes": NaN}'])
def test_an_outcome_of_before_that_is_no_json_says_so(process: Process, outcome: bytes) -> None:
    row = store_recording(process, "referrers", result=None, content_type=JSON, parts=1)
    RecordingPart.objects.create(recording=row, number=0, content=zlib.compress(outcome))
    with pytest.raises(storage.OutcomeMissing, match="no JSON"):
        storage.result_of(row)


def test_a_capture_that_is_none_of_memray_is_refused(process: Process, who: ProcessInfo, hub: Hub) -> None:
    recording = requests.request(process, "flamegraph", hub=hub)
    arrive(who, *split(recording.wire_id, b"#!/bin/sh", content_type=MEMRAY, measured={}))
    progress.keep_up(hub=hub)
    recording.refresh_from_db()
    assert (recording.state, recording.error) == ("failed", "The outcome is no capture of memray.")


@pytest.mark.parametrize("limit_kb", [0, 512])
def test_a_capture_lies_in_the_database_when_small_else_in_a_private_folder(
    process: Process, who: ProcessInfo, tmp_path: Path, settings: Any, limit_kb: int
) -> None:
    folder = tmp_path / "captures"
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(folder), "RECORDINGS_DATABASE_KB": limit_kb}
    recording = requests.request(process, "flamegraph")
    capture = b"memray" + bytes(range(256)) * 40
    arrive(who, *split(recording.wire_id, capture, content_type=MEMRAY, measured={}))
    progress.keep_up()
    recording.refresh_from_db()
    assert (recording.state, recording.size) == ("done", len(capture))
    assert storage.read(recording) == capture
    assert RecordingPart.objects.exists() is (limit_kb > 0)
    if limit_kb == 0:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
        old = timezone.now() + timedelta(days=31)
        assert retention.prune(old).recordings == 1
        assert list(folder.iterdir()) == []
        with pytest.raises(storage.OutcomeMissing, match="RECORDINGS_STORAGE"):
            storage.read(recording)


def test_a_folder_that_others_may_read_is_not_used(
    process: Process, who: ProcessInfo, tmp_path: Path, settings: Any
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(folder), "RECORDINGS_DATABASE_KB": 0}
    recording = requests.request(process, "flamegraph")
    arrive(who, *split(recording.wire_id, b"memray" * 100, content_type=MEMRAY, measured={}))
    progress.keep_up()
    recording.refresh_from_db()
    assert recording.state == "failed"
    assert "not this user's alone" in recording.error


def test_one_recording_at_a_time_in_a_process(process: Process, hub: Hub) -> None:
    requests.request(process, "heap_summary", hub=hub)
    with pytest.raises(ActionRefused, match="is being recorded"):
        requests.request(process, "heap_summary", hub=hub)
    other = store_process("web", slot=2)
    requests.request(other, "heap_summary", hub=hub)
    assert Recording.objects.count() == 2


def test_so_many_recordings_of_a_service_an_hour(process: Process, hub: Hub, settings: Any) -> None:
    settings.MEMWATCH = {"RECORDINGS_PER_SERVICE_HOUR": 2}
    now = timezone.now()
    for _ in range(2):
        requests.cancel(requests.request(process, "heap_summary", hub=hub, now=now), by=None, hub=hub)
    with pytest.raises(ActionRefused, match="2 times within an hour"):
        requests.request(process, "heap_summary", hub=hub, now=now)
    assert requests.request(process, "heap_summary", hub=hub, now=now + timedelta(minutes=61)).pk


@pytest.mark.parametrize(
    ("values", "kind", "says"),
    [
        ({"ended_at": timezone.now()}, "heap_summary", "has ended"),
        ({"outside": True}, "heap_summary", "seen from outside"),
        ({"program": "gunicorn master"}, "flamegraph", "forks workers"),
        ({"program": "celery main", "command_line": "celery -A site worker"}, "flamegraph", "forks workers"),
    ],
)
def test_a_process_that_cannot_be_recorded_is_refused(values: dict[str, Any], kind: str, says: str, hub: Hub) -> None:
    with pytest.raises(ActionRefused, match=says):
        requests.request(store_process(**values), kind, hub=hub)
    assert not Recording.objects.exists()


def test_a_celery_worker_whose_pool_does_not_fork_may_be_flame_graphed(hub: Hub) -> None:
    process = store_process(program="celery main", command_line="celery -A site worker --pool=threads")
    assert requests.request(process, "flamegraph", hub=hub).pk


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("referrers", {}, "type is missing"),
        ("referrers", {"type": ""}, "type is ''"),
        ("referrers", {"type": QUOTE, "duration_s": 3}, "duration_s means nothing"),
        ("allocations", {"duration_s": 0}, "1 to 300"),
        ("allocations", {"frames": True}, "1 to 25"),
        ("flamegraph", {"mode": "all"}, "leaks, peak"),
    ],
)
def test_wrong_options_are_named(process: Process, kind: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        requests.request(process, kind, options=options)
    assert not Recording.objects.exists()


def test_values_go_to_a_user_who_asked_and_to_no_trigger(process: Process, hub: Hub) -> None:
    with pytest.raises(ActionRefused, match="never to a trigger"):
        requests.request(process, "referrers", options={"type": QUOTE, "values": True}, hub=hub)
    assert not Recording.objects.exists()


def test_options_over_a_bound_are_cut_to_it(process: Process, hub: Hub) -> None:
    recording = requests.request(process, "allocations", options={"duration_s": 301, "frames": 99}, hub=hub)
    assert recording.options == {"duration_s": 300, "frames": 25}


def test_what_the_agent_refuses_is_told_and_kept(process: Process, hub: Hub) -> None:
    recording = requests.request(process, "heap_summary", hub=hub)
    Command.objects.update(state="refused", detail="busy: already recording 0123")
    progress.keep_up(hub=hub)
    recording.refresh_from_db()
    assert (recording.state, recording.error) == ("failed", "busy: already recording 0123")


def test_a_process_that_dies_leaves_a_recording_that_says_so(process: Process, hub: Hub) -> None:
    recording = requests.request(process, "allocations", hub=hub)
    end_process(process, timezone.now(), Process.End.STALE)
    assert progress.keep_up(hub=hub).given_up == 1
    recording.refresh_from_db()
    assert (recording.state, recording.error) == ("failed", "The process ended before it was done.")


def test_a_recording_that_never_ends_is_given_up(process: Process, who: ProcessInfo, hub: Hub) -> None:
    recording = requests.request(process, "allocations", options={"duration_s": 10}, hub=hub)
    arrive(who, Part(recording=recording.wire_id, state="running"))
    assert progress.keep_up(recording.requested_at + timedelta(seconds=30), hub=hub).given_up == 0
    assert progress.keep_up(recording.requested_at + timedelta(seconds=600), hub=hub).given_up == 1
    recording.refresh_from_db()
    assert recording.state == "failed"
    assert "No outcome within 600 seconds" in recording.error


def test_what_comes_after_a_cancel_is_ignored(process: Process, who: ProcessInfo, hub: Hub) -> None:
    operator = User.objects.create_user("ops")
    recording = requests.request(process, "referrers", options={"type": QUOTE}, and_then=["allocations"], hub=hub)
    requests.cancel(recording, by=operator, hub=hub)
    assert recording.state == "cancelled"
    arrive(who, *parts_of(recording))
    progress.keep_up(hub=hub)
    recording.refresh_from_db()
    assert (recording.state, recording.result) == ("cancelled", None)
    assert Recording.objects.count() == 1
    with pytest.raises(ActionRefused, match="only one that is under way"):
        requests.cancel(recording, by=operator, hub=hub)


def test_the_allocation_sites_follow_the_referrers_by_themselves(process: Process, who: ProcessInfo, hub: Hub) -> None:
    first = requests.request(process, "referrers", options={"type": QUOTE}, and_then=["allocations"], hub=hub)
    arrive(who, *parts_of(first))
    assert progress.keep_up(hub=hub).followed == 1
    second = Recording.objects.get(kind="allocations")
    assert (second.follows, second.options, second.process) == (first, {"type": QUOTE}, process)
    assert progress.keep_up(hub=hub).followed == 0


def test_what_agents_of_an_older_version_refuse_is_told(process: Process, hub: Hub, now: datetime) -> None:
    recording = requests.request(process, "heap_summary", hub=hub, now=now)
    Command.objects.update(state="expired")
    progress.keep_up(now + timedelta(seconds=31), hub=hub)
    recording.refresh_from_db()
    assert recording.state == "failed"
    assert "not answered in time" in recording.error


@pytest.fixture
def now() -> datetime:
    return timezone.now()
