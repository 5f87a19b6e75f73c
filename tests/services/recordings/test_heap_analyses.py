"""A heap dump is analysed once, by a process of its own; what cannot be analysed is a sentence."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.utils import timezone

from memwatch.heapdump import results
from memwatch.models import Lease, Process, Recording
from memwatch.services import ActionRefused, locking
from memwatch.services.recordings import heap_analyses, heap_dumps, heap_runs, storage
from tests.heapdump.planted import COUNT, EACH
from tests.services.recordings.dumps import files_of_at_most, store_content, store_dump
from tests.services.stored import store_process
from tests.waiting import until

pytestmark = pytest.mark.django_db


@pytest.fixture
def process(transport_url: str, settings: Any, tmp_path: Path) -> Process:
    assert transport_url
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    return store_process()


@pytest.fixture
def dump(process: Process, tmp_path: Path) -> Recording:
    return store_dump(process, tmp_path, "attribute_of_an_instance")


def test_the_analysis_names_the_holder_and_is_kept(dump: Recording) -> None:
    found = heap_analyses.analysis(dump)
    paths = results.paths(found, "shop.leaks.Quote")
    assert paths is not None
    assert paths["groups"][0]["holder"] == "shop.leaks.AuditTrail.trail"
    assert paths["freed"] == COUNT * EACH
    storage.storage().delete(dump.artifact)
    assert heap_analyses.analysis(dump) == found  # not from the dump


@pytest.mark.parametrize(
    ("form", "begins"),
    [("heapsnapshot", b'{"snapshot":{"meta"'), ("csv", b"type,module,"), ("html", b"<!doctype html>")],
)
def test_other_forms_are_made_and_kept(dump: Recording, form: str, begins: bytes) -> None:
    with heap_analyses.made(dump, form) as file:
        assert file.read().startswith(begins)
    assert storage.cached(storage.rendered_name(dump, form)) is not None


def test_what_is_made_goes_with_the_recording(dump: Recording) -> None:
    heap_analyses.analysis(dump)
    name = storage.rendered_name(dump, "analysis")
    assert storage.storage().exists(name)
    storage.remove_files(Recording.objects.all())
    assert not storage.storage().exists(name)
    assert not storage.storage().exists(dump.artifact)


def test_a_dump_that_is_cut_off_is_a_sentence(process: Process, dump: Recording) -> None:
    with storage.storage().open(dump.artifact) as file:
        content = file.read()
    cut = store_content(process, content[: len(content) // 2])
    with pytest.raises(ActionRefused, match=r"^the heap dump cannot be analysed: \w+: .*cut off"):
        heap_analyses.analysis(cut)


def test_a_dump_that_is_gone_is_a_sentence(dump: Recording) -> None:
    storage.storage().delete(dump.artifact)
    with pytest.raises(storage.OutcomeMissing, match="cannot be read"):
        heap_analyses.analysis(dump)


def test_two_do_not_analyse_at_once(dump: Recording) -> None:
    lease = f"analyse {dump.wire_id} analysis"
    with locking.single_flight(lease, 60):
        with pytest.raises(ActionRefused, match="just now"):
            heap_analyses.analysis(dump)
        assert not heap_analyses.analyse_next()
    until(heap_analyses.analyse_next)  # later it is tried again
    assert not Lease.objects.filter(name=lease).exists()


def test_what_takes_longer_goes_on_and_is_there_later(dump: Recording) -> None:
    with pytest.raises(heap_analyses.BeingAnalysed, match=r"just now \(\d+ %\)"):
        heap_analyses.analysis(dump, timeout_s=0.0)
    (run,) = heap_runs.runs()
    until(lambda: not run.is_running())
    assert heap_analyses.analysis(dump, timeout_s=0.0)["about"]["objects"] > COUNT
    assert not list(heap_runs.runs())
    dump.refresh_from_db()
    assert dump.measured["analysis_s"] > 0


def test_the_worker_does_not_wait_for_a_long_analysis(dump: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap_analyses, "IN_WORKER_S", 0.0)
    assert not heap_analyses.analyse_next()
    until(heap_analyses.analyse_next)
    assert storage.storage().exists(storage.rendered_name(dump, "analysis"))


def test_a_cancelled_analysis_ends_and_is_not_begun_again(dump: Recording) -> None:
    with pytest.raises(heap_analyses.BeingAnalysed):
        heap_analyses.analysis(dump, timeout_s=0.0)
    heap_analyses.cancel(dump, by=None)
    assert not list(heap_runs.runs())
    until(lambda: heap_runs.reap() == 0)
    dump.refresh_from_db()
    assert not heap_analyses.analyse_next()
    with pytest.raises(ActionRefused, match="not being analysed"):
        heap_analyses.cancel(dump, by=None)
    assert heap_analyses.analysis(dump)["about"]["objects"] > COUNT  # somebody asks


def test_an_analysis_that_was_cancelled_from_another_machine_ends(
    dump: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heap_analyses, "COMMITTED_S", -1.0)
    with pytest.raises(heap_analyses.BeingAnalysed):
        heap_analyses.analysis(dump, timeout_s=0.0)
    Lease.objects.all().delete()
    dump.measured = {"analysis_s": 0.0}
    dump.save()
    assert not heap_analyses.analyse_next()
    assert not list(heap_runs.runs())
    until(lambda: heap_runs.reap() == 0)


def test_it_ends_when_somebody_looks_at_it_where_it_runs(dump: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap_analyses, "COMMITTED_S", -1.0)
    with pytest.raises(heap_analyses.BeingAnalysed):
        heap_analyses.analysis(dump, timeout_s=0.0)
    (cancelled,) = heap_runs.runs()
    Lease.objects.all().delete()  # on another machine
    with pytest.raises(heap_analyses.BeingAnalysed):
        heap_analyses.analysis(dump, timeout_s=0.0)
    assert cancelled.name not in [run.name for run in heap_runs.runs()]


def test_a_third_analysis_at_a_time_is_refused_and_made_later(dump: Recording) -> None:
    with contextlib.ExitStack() as others:
        for number in range(heap_analyses.MOST_RUNS):
            folder = Path(tempfile.gettempdir(), heap_runs.new_name(f"other{number}", "csv"))
            folder.mkdir(mode=0o700)
            fcntl.flock(others.enter_context((folder / "lock").open("w")), fcntl.LOCK_EX)
        with pytest.raises(heap_analyses.TooManyAnalyses, match="try again in a few minutes"):
            heap_analyses.analysis(dump)
        assert not heap_analyses.analyse_next()
        assert not Lease.objects.exists()
    until(heap_analyses.analyse_next)
    assert storage.storage().exists(storage.rendered_name(dump, "analysis"))


def test_the_copy_of_the_dump_goes_when_it_was_read(dump: Recording) -> None:
    with pytest.raises(heap_analyses.BeingAnalysed):
        heap_analyses.analysis(dump, timeout_s=0.0)
    (run,) = heap_runs.runs()
    until(lambda: not run.is_running())
    assert run.outcome.exists()
    assert not (run.folder / "dump.heap").exists()


def test_what_a_killed_worker_has_begun_is_not_lost(dump: Recording) -> None:
    with heap_dumps.opened(dump) as file:
        content = file.read()
    name = heap_runs.new_name(dump.wire_id, "analysis")
    worker = os.fork()
    if worker == 0:
        heap_runs.start(io.BytesIO(content), name, "analysis")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(worker, 0)
    assert heap_analyses.analysis(dump)["about"]["objects"] > COUNT
    assert not list(heap_runs.runs())


def test_a_worker_that_was_killed_before_its_analysis_began_keeps_no_other_from_it(dump: Recording) -> None:
    name = heap_runs.new_name(dump.wire_id, "analysis")
    assert locking.take(f"analyse {dump.wire_id} analysis", name, timezone.now(), 60.0)

    class Killing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            os.kill(os.getpid(), signal.SIGKILL)
            return b""

    worker = os.fork()
    if worker == 0:
        heap_runs.start(Killing(), name, "analysis")
        os._exit(0)
    os.waitpid(worker, 0)
    assert [run.name for run in heap_runs.runs()] == [name]
    assert heap_analyses.analysis(dump)["about"]["objects"] > COUNT
    assert not list(heap_runs.runs())


def test_an_analysis_that_is_killed_is_a_sentence(dump: Recording) -> None:
    with pytest.raises(heap_analyses.BeingAnalysed):
        heap_analyses.analysis(dump, timeout_s=0.0)
    (child,) = (each for each in psutil.Process().children() if "analyse_heap.py" in " ".join(each.cmdline()))
    child.kill()
    with pytest.raises(ActionRefused, match="its process was killed"):
        heap_analyses.analysis(dump)
    assert not list(heap_runs.runs())
    assert heap_analyses.analysis(dump)["about"]["objects"] > COUNT


def test_a_disk_that_is_full_is_a_sentence_and_leaves_nothing(dump: Recording, tmp_path: Path) -> None:
    with pytest.raises(heap_analyses.BeingAnalysed):
        heap_analyses.analysis(dump, timeout_s=0.0)
    (run,) = heap_runs.runs()
    until(lambda: not run.is_running())
    with files_of_at_most(1024), pytest.raises(ActionRefused, match=r"the analysis cannot be stored: .*too large"):
        heap_analyses.analysis(dump)
    assert not list(heap_runs.runs())
    assert [file.name for file in (tmp_path / "recordings").iterdir()] == [dump.artifact]


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs of other tests lie elsewhere; what still runs at the end is ended."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    for run in heap_runs.runs():
        run.remove()
    until(lambda: heap_runs.reap() == 0)


def test_an_analysis_of_another_version_is_made_once_more(dump: Recording) -> None:
    found = heap_analyses.analysis(dump)
    name = storage.rendered_name(dump, "analysis")
    for content in (json.dumps({**found, "version": 0}), "[]", "{"):
        storage.storage().delete(name)
        storage.cache(name, content.encode())
        assert heap_analyses.analysis(dump) == found


def test_the_worker_analyses_each_new_dump_once(process: Process, dump: Recording, tmp_path: Path) -> None:
    other = store_dump(process, tmp_path, "list_of_a_module")
    for _ in range(2):
        until(heap_analyses.analyse_next)
    assert not heap_analyses.analyse_next()
    for recording in (dump, other):
        recording.refresh_from_db()
        assert recording.measured["analysis_s"] > 0
        assert storage.storage().exists(storage.rendered_name(recording, "analysis"))


def test_a_dump_that_cannot_be_analysed_keeps_no_other_from_it(
    process: Process, dump: Recording, tmp_path: Path
) -> None:
    with storage.storage().open(dump.artifact) as file:
        content = file.read()
    dump.delete()
    cut = store_content(process, content[: len(content) // 2])
    whole = store_dump(process, tmp_path, "list_of_a_module")
    for _ in range(2):
        until(heap_analyses.analyse_next)
    assert not heap_analyses.analyse_next()
    assert not storage.storage().exists(storage.rendered_name(cut, "analysis"))
    assert storage.storage().exists(storage.rendered_name(whole, "analysis"))


def test_without_a_temporary_folder_it_is_a_sentence_and_no_other_dump_waits(
    process: Process, dump: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = store_dump(process, tmp_path, "list_of_a_module")
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        with pytest.raises(ActionRefused, match="No such file"):
            heap_analyses.analysis(dump)
        assert heap_analyses.analyse_next()
    until(heap_analyses.analyse_next)
    assert storage.storage().exists(storage.rendered_name(whole, "analysis"))


def test_old_dumps_are_left_until_somebody_asks(dump: Recording) -> None:
    assert not heap_analyses.analyse_next(timezone.now() + 2 * heap_analyses.WAITING_FOR)
