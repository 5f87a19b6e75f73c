"""A heap dump is analysed once, by a process of its own; what cannot be analysed is a sentence."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from memwatch.heapdump import results
from memwatch.models import Process, Recording
from memwatch.services import ActionRefused, locking
from memwatch.services.recordings import heap_analyses, storage
from tests.heapdump.planted import COUNT, EACH
from tests.services.recordings.dumps import store_content, store_dump
from tests.services.stored import store_process

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
    with locking.single_flight(f"analyse {dump.wire_id} analysis", 60), pytest.raises(ActionRefused, match="just now"):
        heap_analyses.analysis(dump)
    with locking.single_flight(f"analyse {dump.wire_id} analysis", 60):
        assert not heap_analyses.analyse_next()
    assert heap_analyses.analyse_next()  # later it is tried again


def test_it_is_ended_after_its_time(dump: Recording) -> None:
    with pytest.raises(ActionRefused, match="took longer than 0 seconds"):
        heap_analyses.analysis(dump, timeout_s=0.01)
    assert heap_analyses.analysis(dump)["about"]["objects"] > COUNT


def test_an_analysis_of_another_version_is_made_once_more(dump: Recording) -> None:
    found = heap_analyses.analysis(dump)
    name = storage.rendered_name(dump, "analysis")
    for content in (json.dumps({**found, "version": 0}), "[]", "{"):
        storage.storage().delete(name)
        storage.cache(name, content.encode())
        with pytest.raises(ActionRefused, match="another version"):
            heap_analyses.analysis(dump)
        assert heap_analyses.analysis(dump) == found


def test_the_worker_analyses_each_new_dump_once(process: Process, dump: Recording, tmp_path: Path) -> None:
    other = store_dump(process, tmp_path, "list_of_a_module")
    assert [heap_analyses.analyse_next() for _ in range(3)] == [True, True, False]
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
    assert [heap_analyses.analyse_next() for _ in range(3)] == [True, True, False]
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
    assert heap_analyses.analyse_next()
    assert storage.storage().exists(storage.rendered_name(whole, "analysis"))


def test_old_dumps_are_left_until_somebody_asks(dump: Recording) -> None:
    assert not heap_analyses.analyse_next(timezone.now() + 2 * heap_analyses.WAITING_FOR)
