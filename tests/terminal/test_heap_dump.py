"""``memwatch heap dump``: asked of a watched process, waited for, and copied from the storage."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from memwatch.command_line import main
from memwatch.heapdump.format import HeapDumpError
from memwatch.models import Process, Recording
from memwatch.services.recordings import progress, requests, results
from memwatch.terminal.heap_dump import dump
from memwatch.transport.recordings import split_dump
from memwatch.transport.wire import RecordingPart
from tests.heapdump.test_format import small_dump
from tests.services.conftest import transport_url
from tests.services.stored import store_process

__all__ = ["transport_url"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def process(transport_url: str, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Process:
    assert transport_url
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    monkeypatch.setattr(requests, "REFUSAL_WAIT_S", 0.0)
    return store_process()


def while_it_waits(monkeypatch: pytest.MonkeyPatch, act: Callable[[Recording], None]) -> None:
    """Instead of a sleep, do what the agent and the worker would in that time."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: act(Recording.objects.get()))


def asked(process: Process, file: Path, said: list[str], *, pid: int = 0) -> None:
    dump(pid or process.pid, file, host="", max_mb=64, any_driver=False, say=said.append)


def test_the_dump_is_copied_when_it_has_arrived(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, said = small_dump(), list[str]()
    written = RecordingPart(recording="", state="running", measured={"objects": 1_234.0})

    def act(recording: Recording) -> None:
        if not recording.measured:
            begun = [RecordingPart(recording=recording.wire_id, state="running", measured=written.measured)]
            results.take([(process, part) for part in begun], timezone.now())
            return
        parts = split_dump(recording.wire_id, io.BytesIO(content), measured={"objects": 4.0})
        results.take([(process, part) for part in parts], timezone.now())
        progress.keep_up()

    while_it_waits(monkeypatch, act)
    asked(process, tmp_path / "web.heap", said)
    assert (tmp_path / "web.heap").read_bytes() == content
    assert said[0] == "1,234 objects"
    assert (tmp_path / "web.heap").stat().st_mode & 0o077 == 0


def test_a_process_that_nobody_watches_is_named(process: Process, tmp_path: Path) -> None:
    with pytest.raises(HeapDumpError, match="no process 99999 is watched"):
        asked(process, tmp_path / "web.heap", [], pid=99_999)


def test_a_failure_is_said_and_leaves_no_file(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(recording: Recording) -> None:
        failed = RecordingPart(recording=recording.wire_id, state="failed", error="there is no room for a copy")
        results.take([(process, failed)], timezone.now())

    while_it_waits(monkeypatch, act)
    with pytest.raises(HeapDumpError, match="there is no room for a copy"):
        asked(process, tmp_path / "web.heap", [])
    assert not (tmp_path / "web.heap").exists()


def test_an_interrupt_cancels_it(process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(_recording: Recording) -> None:
        raise KeyboardInterrupt

    while_it_waits(monkeypatch, act)
    with pytest.raises(KeyboardInterrupt):
        asked(process, tmp_path / "web.heap", [])
    assert Recording.objects.get().state == "cancelled"


def test_an_interrupt_as_it_ends_is_no_error(process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(recording: Recording) -> None:
        failed = RecordingPart(recording=recording.wire_id, state="failed", error="there is no room for a copy")
        results.take([(process, failed)], timezone.now())
        raise KeyboardInterrupt

    while_it_waits(monkeypatch, act)
    with pytest.raises(KeyboardInterrupt):
        asked(process, tmp_path / "web.heap", [])


def test_without_a_worker_it_does_not_wait_for_ever(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = list[Recording]()

    def act(recording: Recording) -> None:
        assert len(turns) < 3
        turns.append(recording)
        Recording.objects.update(deadline=timezone.now() - timedelta(minutes=5))

    while_it_waits(monkeypatch, act)
    with pytest.raises(HeapDumpError, match="check that the Celery worker runs"):
        asked(process, tmp_path / "web.heap", [])


def test_an_earlier_dump_is_not_replaced_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    earlier = tmp_path / "memwatch-4711.heap"
    earlier.write_bytes(b"earlier")
    assert main(["heap", "dump", "4711"]) == 1
    assert "memwatch-4711.heap exists: give --output FILE" in capsys.readouterr().err
    assert earlier.read_bytes() == b"earlier"


def test_without_settings_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    assert main(["heap", "dump", "4711"]) == 1
    assert "memwatch.dump_heap(path)" in capsys.readouterr().err
