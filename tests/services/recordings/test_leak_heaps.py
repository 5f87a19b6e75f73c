"""What heap dumps say of leaks: of the leak's own process first, else of another one of the service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from memwatch.heapdump.format import Edge
from memwatch.models import Leak, Process, Recording
from memwatch.services.recordings import heap_analyses, storage
from memwatch.services.recordings.leak_heaps import LeakHeap, heaps_of
from tests.api.rows import store_leak
from tests.heapdump.planted import COUNT, EACH, Planted
from tests.services.recordings.dumps import store_content, store_dump
from tests.services.stored import store_process

pytestmark = pytest.mark.django_db
TYPE = "shop.leaks.Quote"


@pytest.fixture
def process(transport_url: str, settings: Any, tmp_path: Path) -> Process:
    assert transport_url
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    return store_process()


@pytest.fixture
def leak(process: Process) -> Leak:
    return store_leak(process, TYPE)


def analysed(process: Process, folder: Path, *leaks: str) -> Recording:
    dump = store_dump(process, folder, *leaks)
    heap_analyses.analysis(dump)
    return dump


def heap_of(leak: Leak, user: Any = None) -> LeakHeap | None:
    return heaps_of([leak], user).get(leak.pk)


def test_the_holder_the_number_and_what_would_be_freed(leak: Leak, process: Process, tmp_path: Path) -> None:
    dump = analysed(process, tmp_path, "attribute_of_an_instance")
    found = heap_of(leak)
    assert found is not None
    assert (found.recording, found.type, found.count) == (dump, TYPE, COUNT)
    assert (found.size, found.freed) == (COUNT * 100, COUNT * EACH)
    (group,) = found.holders
    assert (group["holder"], group["count"], group["retained"]) == (
        "shop.leaks.AuditTrail.trail", COUNT, COUNT * EACH,
    )  # fmt: skip


def test_a_dump_that_is_not_analysed_says_nothing(leak: Leak, process: Process, tmp_path: Path) -> None:
    store_dump(process, tmp_path, "attribute_of_an_instance")
    assert heap_of(leak) is None


def test_the_own_process_comes_before_a_newer_dump_of_a_sibling(leak: Leak, process: Process, tmp_path: Path) -> None:
    sibling = store_process(slot=2)
    of_sibling = analysed(sibling, tmp_path, "set_of_a_module")
    assert (found := heap_of(leak)) is not None
    assert found.recording == of_sibling
    own = analysed(process, tmp_path, "attribute_of_an_instance")
    newer = analysed(sibling, tmp_path, "set_of_a_module")
    assert newer.pk > own.pk
    assert (found := heap_of(leak)) is not None
    assert found.recording == own


def test_a_dump_of_another_service_says_nothing(leak: Leak, tmp_path: Path) -> None:
    analysed(store_process("worker"), tmp_path, "attribute_of_an_instance")
    assert heap_of(leak) is None


def test_of_untracked_objects_it_is_the_container(process: Process, tmp_path: Path) -> None:
    evidence = {"container": {"name": "shop.leaks.UNIQUE"}}
    leak = store_leak(process, "untracked", kind="untracked", evidence=evidence)
    analysed(process, tmp_path, "set_of_a_module")
    assert (found := heap_of(leak)) is not None
    assert (found.type, found.count) == (TYPE, COUNT)
    assert COUNT * EACH <= found.freed <= COUNT * EACH + 200, "with the set, but not with its module"


def test_the_paths_of_a_leaking_type_are_kept_however_small(process: Process, tmp_path: Path) -> None:
    planted = Planted()
    for number in range(20):
        planted.refer(planted.own, planted.add(f"framework.core.Type{number}", 1_000 - number), Edge.GLOBAL, "it")
    dump = store_content(process, planted.write(tmp_path / "planted.heap").read_bytes())
    smallest, gone = store_leak(process, "framework.core.Type19"), store_leak(process, "framework.core.Gone")
    heap_analyses.analysis(dump)
    assert (found := heap_of(smallest)) is not None
    assert (found.count, found.freed, len(found.holders)) == (1, 981, 1)
    assert heap_of(gone) is None


def test_without_the_permission_there_is_none(leak: Leak, process: Process, tmp_path: Path) -> None:
    dump = analysed(process, tmp_path, "attribute_of_an_instance")
    user = User.objects.create_user("u")
    assert heap_of(leak, user) is None
    user.user_permissions.add(Permission.objects.get(codename="dump_heap"))
    user = User.objects.get(pk=user.pk)
    assert heap_of(leak, user) is not None
    Recording.objects.filter(pk=dump.pk).update(options={"keys": True})
    assert heap_of(leak, user) is None
    assert heap_of(leak) is None


def test_one_query_for_many_leaks(process: Process, tmp_path: Path) -> None:
    leaks = [store_leak(process, TYPE), store_leak(process, "str"), store_leak(process, "list")]
    analysed(process, tmp_path, "attribute_of_an_instance")
    with CaptureQueriesContext(connection) as queries:
        assert len(heaps_of(leaks)) >= 1
    assert len(queries) == 1


def test_a_broken_analysis_says_nothing(leak: Leak, process: Process, tmp_path: Path) -> None:
    dump = analysed(process, tmp_path, "attribute_of_an_instance")
    name = storage.rendered_name(dump, "analysis")
    storage.storage().delete(name)
    storage.cache(name, b"[1, 2]")
    assert heap_of(leak) is None
    assert dump.finished_at is not None
    assert dump.finished_at <= timezone.now()
