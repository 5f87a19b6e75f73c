"""Recordings in real servers: of each kind, one at a time, cancelled, and in a process that is killed meanwhile."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from memwatch.diagnosis import KINDS
from memwatch.heapdump.reader import Strings, Types, read
from memwatch.transport.recordings import join
from memwatch.transport.wire import Answer, Command, RecordingPart, Report
from tests.deployment.conftest import MakeGuest
from tests.deployment.guest import KEY, Guest

pytestmark = pytest.mark.deployment

GUNICORN = ("gunicorn", "guest.wsgi", "--bind", "127.0.0.1:{port}", "--workers", "1", "--log-level", "warning")
UVICORN = ("uvicorn", "guest.asgi:application", "--port", "{port}", "--workers", "2", "--log-level", "warning")
CELERY = ("celery", "-A", "guest.celery", "worker", "--loglevel", "WARNING", "--concurrency", "1")
OPTIONS: dict[str, dict[str, Any]] = {
    "referrers": {"type": "guest.leak.Leaked"},
    "allocations": {"type": "guest.leak.Leaked", "duration_s": 2},
    "flamegraph": {"duration_s": 2},
    "heap_summary": {},
    "trim": {},
    "heap_dump": {},
}
WITHIN_S = 90.0
MODES = {
    "gunicorn sync": (*GUNICORN, "--worker-class", "sync"),
    "gunicorn gthread": (*GUNICORN, "--worker-class", "gthread", "--threads", "2"),
    "gunicorn preload": (*GUNICORN, "--preload"),
    "uvicorn": UVICORN,
    "celery": CELERY,
}


def ask(guest: Guest, key: str, name: str, **arguments: Any) -> Answer:
    payload = Command.make(name, key, **arguments).encode(KEY)
    answers = guest.hub.request({key: payload}, timeout_s=30)
    assert answers, f"no answer to {name}:\n{guest.log[-2000:]}"
    return Report.decode(answers[key]).answers[0]


def start(guest: Guest, key: str, kind: str, **options: Any) -> str:
    wanted = secrets.token_hex(8)
    answer = ask(guest, key, "record", recording=wanted, kind=kind, options=options)
    assert (answer.state, answer.detail) == ("done", "started"), answer
    return wanted


def outcome(guest: Guest, recording: str) -> list[RecordingPart]:
    def over() -> list[RecordingPart]:
        parts = [part for report in guest.reports for part in report.recordings if part.recording == recording]
        return [part for part in parts if part.state != "running"]

    guest.wait(lambda _: bool(over()) and len(over()) >= over()[0].parts, within_s=WITHIN_S)
    return over()


class Load:
    """Requests that leak, one after the other, while it is open; a Celery child leaks by itself."""

    def __init__(self, guest: Guest, mode: str) -> None:
        self._guest = guest
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run) if mode != "celery" else None

    def _run(self) -> None:
        while not self._ended.is_set():
            self._guest.get("leak?objects=20")
            time.sleep(0.01)

    def __enter__(self) -> None:
        if self._thread is not None:
            self._guest.get("leak?objects=20")
            self._thread.start()

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()


def worker_key(guest: Guest) -> str:
    """The key of the process that does the work."""
    first = guest.wait_for_snapshots(guest.children, at_least=1)
    return next(iter(first.values())).process.key


def check_dump(parts: Collection[RecordingPart]) -> None:
    content = b"".join(base64.b64decode(part.content) for part in sorted(parts, key=lambda part: part.part))
    texts: list[str] = []
    types: set[str] = set()
    for part in read(io.BytesIO(content)):
        if isinstance(part, Strings):
            texts += part.texts
        elif isinstance(part, Types):
            types |= {texts[name] for name in part.names}
    assert "Leaked" in types


def check(kind: str, parts: Collection[RecordingPart]) -> None:
    assert {part.state for part in parts} == {"done"}, parts
    if kind == "heap_dump":
        check_dump(parts)
        return
    content = join(parts) or b""
    measured = max(parts, key=lambda part: part.part).measured
    assert measured["duration_s"] > 0
    assert measured["bytes"] == len(content)
    if kind == "flamegraph":
        assert content.startswith(b"memray")
        return
    result = json.loads(content)
    if kind == "referrers":
        assert any(chain["path"][0].startswith("guest.leak.LEAKED (list") for chain in result["chains"]), result
    elif kind == "allocations":
        marked = [site for site in result["sites"] if site["of_type"]]
        assert any(site["file"].endswith("guest/leak.py") and "Leaked(" in site["code"] for site in marked), result
    elif kind == "trim":
        assert result["trimmed"]
        assert result["rss_before_mb"] > 0
    else:
        assert any(each["type"] == "guest.leak.Leaked" for each in result["types"])


@pytest.mark.parametrize("mode", MODES)
def test_each_kind_is_recorded_in_a_worker(mode: str, local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url, GUEST_LEAKS="1" if mode == "celery" else "")
    guest.start(*MODES[mode])
    key = worker_key(guest)
    with Load(guest, mode):
        if mode == "uvicorn":
            key = leaking_key(guest)
        for kind in KINDS:
            check(kind, outcome(guest, start(guest, key, kind, **OPTIONS[kind])))
    for word in ("Traceback", "memwatch:", "ERROR"):
        assert word not in guest.log, guest.log


def leaking_key(guest: Guest) -> str:
    """Of two workers the one that has served a request."""
    leaky: dict[str, str] = {}

    def found(reports: list[Report]) -> bool:
        for report in reports:
            if any((snapshot.requests_handled or 0) > 0 for _, snapshot in report.snapshots):
                leaky["key"] = report.process.key
        return bool(leaky)

    guest.wait(found)
    return leaky["key"]


def test_processes_that_fork_are_refused_a_flame_graph(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start(*CELERY)
    main = guest.wait_for_snapshots(lambda: [guest.pid], at_least=1)[guest.pid].process.key
    answer = ask(guest, main, "record", recording="0" * 16, kind="flamegraph", options={})
    assert answer.state == "refused"
    assert "one of its workers" in answer.detail


def test_a_killed_worker_leaves_nothing_behind_and_its_successor_can_be_recorded(
    local_url: str, make_guest: MakeGuest, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    guest = make_guest(local_url, TMPDIR=str(temporary))
    guest.start(*GUNICORN)
    key = worker_key(guest)
    (pid,) = guest.children()
    start(guest, key, "flamegraph", duration_s=300)
    busy = ask(guest, key, "record", recording="f" * 16, kind="heap_summary", options={})
    assert (busy.state, busy.detail.split(":")[0]) == ("refused", "busy")
    os.kill(pid, signal.SIGKILL)
    guest.wait_for_snapshots(lambda: guest.children() - {pid}, at_least=1)
    assert not [name for name in temporary.iterdir() if name.is_file()], "the capture had no name"
    (successor,) = guest.children() - {pid}
    key = guest.first_snapshots()[successor].process.key
    assert outcome(guest, start(guest, key, "heap_summary"))[-1].state == "done"


def test_a_recording_is_cancelled_and_a_cap_ends_one_by_itself(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url)
    guest.start(*GUNICORN)
    key = worker_key(guest)
    running = start(guest, key, "allocations", duration_s=300)
    assert ask(guest, key, "cancel_recording", recording=running).state == "done"
    assert outcome(guest, running)[-1].state == "cancelled"
    assert guest.get("tracing") == "False"
    with Load(guest, "gunicorn"):
        capped = start(guest, key, "allocations", duration_s=300, max_traced_mb=0.05)
        result = json.loads(join(outcome(guest, capped)) or b"")
    assert "are allowed" in result["notes"][0]
    assert guest.get("tracing") == "False"
