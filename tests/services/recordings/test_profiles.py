"""Recordings as profiles: their totals are those of the recording."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import memray
import pytest
from django.utils import timezone

from memwatch.models import Process, Recording
from memwatch.services.recordings import profiles, progress, requests, results, storage
from memwatch.transport.recordings import MEMRAY, split_dump
from tests.heapdump.test_format import small_dump
from tests.profiles.reading import parsed, samples, total
from tests.services.recorded import ALLOCATIONS, arrive, capture, store_recording
from tests.services.stored import store_process

pytestmark = pytest.mark.django_db


@pytest.fixture
def process(transport_url: str, settings: Any, tmp_path: Path) -> Process:
    assert transport_url
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    return store_process()


def leaked(content: bytes) -> tuple[int, int]:
    """Allocations and bytes of a capture that were not freed by its end, as memray says."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "capture.bin")
        file.write_bytes(content)
        with memray.FileReader(file) as reader:
            rows = list(reader.get_leaked_allocation_records(merge_threads=True))
    return sum(row.n_allocations for row in rows), sum(row.size for row in rows)


def test_a_flame_graph_has_the_totals_of_its_capture(process: Process) -> None:
    content = capture()
    recording = arrive(process, requests.request(process, "flamegraph"), content, MEMRAY)
    objects, size = leaked(content)
    made = profiles.made(recording, "pprof")
    assert (total(made, "inuse_objects"), total(made)) == (objects, size)
    leaking = [row for row in samples(made) if any(frame[0] == "leak_on_purpose" for frame in row.stack)]
    assert sum(row.values["inuse_space"] for row in leaking) >= 500_000
    assert all(row.stack[-1][1].endswith("recorded.py") for row in leaking)
    assert abs(parsed(made).time_nanos / 1e9 - timezone.now().timestamp()) < 600
    scope = json.loads(profiles.made(recording, "speedscope"))
    assert sum(scope["profiles"][0]["weights"]) == size
    lines = profiles.made(recording, "collapsed").decode().splitlines()
    assert sum(int(line.rsplit(" ", 1)[1]) for line in lines) == size


def test_allocation_sites_have_the_total_that_was_traced(process: Process) -> None:
    recording = store_recording(process, "allocations", measured={"duration_s": 30.0})
    made = profiles.made(recording, "pprof")
    assert total(made) == ALLOCATIONS["traced_mb"] * 1024 * 1024
    found = parsed(made)
    assert found.duration_nanos == 30 * 10**9
    assert str(recording) in found.string_table[found.comment[0]]


def test_a_heap_dump_has_the_total_that_roots_reach(process: Process) -> None:
    recording = requests.request(process, "heap_dump")
    parts = split_dump(recording.wire_id, io.BytesIO(small_dump()), measured={"objects": 4.0})
    results.take([(process, part) for part in parts], timezone.now())
    progress.keep_up()
    recording.refresh_from_db()
    made = profiles.made(recording, "pprof")
    assert total(made) == profiles.heap_analyses.analysis(recording)["about"]["reached_bytes"] > 0


@pytest.mark.parametrize("form", ["pprof", "speedscope", "collapsed"])
def test_a_recording_without_sizes_says_so(process: Process, form: str) -> None:
    with pytest.raises(storage.OutcomeMissing, match="no sizes"):
        profiles.made(store_recording(process, "referrers"), form)


def test_profiles_of_a_capture_go_with_the_recording(process: Process, tmp_path: Path) -> None:
    recording = arrive(process, requests.request(process, "flamegraph"), capture(), MEMRAY)
    profiles.made(recording, "pprof")
    assert [path.suffix for path in (tmp_path / "recordings").iterdir()] == [".pprof"]
    storage.remove_files(Recording.objects.all())
    assert list((tmp_path / "recordings").iterdir()) == []
