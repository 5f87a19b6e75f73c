"""Flame graphs: rendered apart, once, within limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memwatch.models import Lease, Process, Recording
from memwatch.services import ActionRefused
from memwatch.services.recordings import flamegraphs, requests, storage
from memwatch.transport.recordings import MEMRAY
from tests.services.recorded import arrive, capture
from tests.services.stored import store_process

pytestmark = pytest.mark.django_db


@pytest.fixture
def process(transport_url: str, settings: Any, tmp_path: Path) -> Process:
    assert transport_url
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    return store_process()


@pytest.fixture
def recording(process: Process) -> Recording:
    return arrive(process, requests.request(process, "flamegraph"), capture(), MEMRAY)


def test_a_capture_becomes_a_page_that_needs_nothing_else(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = flamegraphs.render(recording, "html").decode()
    assert "leak_on_purpose" in page
    assert "cdn." not in page.split("<script>")[0]
    assert 'src="http' not in page
    monkeypatch.setattr(flamegraphs, "_run", lambda *_args: pytest.fail("it was rendered twice"))
    assert flamegraphs.render(recording, "html").decode() == page


def test_rendering_is_no_sign_that_the_timetable_runs(recording: Recording) -> None:
    flamegraphs.render(recording, "txt")
    assert not Lease.objects.filter(name__startswith="render").exists(), "the health page goes by the last run of any"


def test_it_shows_no_line_of_a_file_that_the_capture_names(recording: Recording) -> None:
    page = flamegraphs.render(recording, "html").decode()
    assert "kept.extend(bytearray" not in page


def test_collapsed_stacks_are_for_other_tools(recording: Recording) -> None:
    lines = flamegraphs.render(recording, "txt").decode().splitlines()
    leaking = [line.rsplit(" ", 1) for line in lines if "leak_on_purpose" in line]
    assert all(";" in stack for stack, _size in leaking)
    assert sum(int(size) for _stack, size in leaking) >= 500_000


def test_a_capture_that_memray_cannot_read_is_told(process: Process) -> None:
    recording = arrive(process, requests.request(process, "flamegraph"), b"memray" + bytes(500), MEMRAY)
    with pytest.raises(ActionRefused, match="memray cannot render this capture"):
        flamegraphs.render(recording, "html")


def test_one_that_takes_too_long_is_stopped(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flamegraphs, "TIMEOUT_S", 0.01)
    with pytest.raises(ActionRefused, match="took longer"):
        flamegraphs.render(recording, "html")


def test_the_rendered_page_goes_with_the_recording(recording: Recording, tmp_path: Path) -> None:
    flamegraphs.render(recording, "txt")
    assert [path.suffix for path in (tmp_path / "recordings").iterdir()] == [".collapsed"]
    storage.remove_files(Recording.objects.all())
    assert list((tmp_path / "recordings").iterdir()) == []
