"""A release against the one before it, as the rows say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from memwatch.detection.releases import figures as names
from memwatch.detection.releases.comparison import MORE, SAME, UNKNOWN
from memwatch.detection.releases.result import AGE, JOBS, At, Comparison, headline
from memwatch.models import Baseline, Process, Release, Service, Snapshot
from memwatch.queries.releases.compare import compare, named, newest_running, release_before
from memwatch.queries.releases.stored import running
from tests.services.stored_releases import DJANGO, store_release
from tests.services.stored_work import figures as work_figures
from tests.services.stored_work import store_work

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
GROWN = {**DJANGO, "ddtrace": ("ddtrace", 977)}


def pair(before: dict[str, Any] | None = None, after: dict[str, Any] | None = None) -> Comparison:
    now = timezone.now()
    old = store_release("2.3", now - 10 * HOUR, now - 5 * HOUR, alive=False, **(before or {}))
    new = store_release("2.4", now - 4.5 * HOUR, now, **(after or {}))
    return compare(old, new, now)


def test_nothing_changed() -> None:
    found = pair()
    assert {found.figures[name].verdict for name in (names.BIRTH, names.LATER, names.GROWTH)} == {SAME}
    assert found.imports.packages == []
    assert headline(found) == "no change of its memory"
    assert found.at == At(AGE, 4 * 3600)
    assert (found.before.processes, found.after.processes) == (4, 4)


def test_a_dependency_that_grew_is_named() -> None:
    found = pair(after={"birth_mb": 250.0, "packages": GROWN, "versions": {"django": "5.2", "ddtrace": "4.1"}})
    birth = found.figures[names.BIRTH]
    assert birth.verdict == MORE
    assert birth.shift == pytest.approx(150, abs=0.5)
    assert (birth.before, birth.after) == (pytest.approx(100.75, abs=0.01), pytest.approx(250.75, abs=0.01))
    assert birth.p == pytest.approx(2 / 70)
    assert headline(found) == "+150 MB a worker at birth, of it about 150 MB from 977 modules of ddtrace 4.1"


def test_a_leak_is_told_from_a_larger_birth() -> None:
    found = pair(after={"mb_per_hour": 30.0})
    assert found.figures[names.BIRTH].verdict == SAME
    assert found.figures[names.GROWTH].verdict == MORE
    assert found.figures[names.GROWTH].shift == pytest.approx(30, abs=1)
    assert found.figures[names.GROWTH_PER_JOB].shift == pytest.approx(30 * 1024 / 600, rel=0.05)
    assert headline(found) == "+60 MB a worker after 4 hours, +30 MB an hour (growth)"


def test_the_same_work_is_compared_where_one_had_more_to_do() -> None:
    """Both grow by 6 KiB a job; the new one has three times as many."""
    kib = 6 * 10 * 60 / 1024
    found = pair({"mb_per_hour": kib}, {"mb_per_hour": 3 * kib, "jobs_per_minute": 30.0})
    assert found.at is not None
    assert found.at.axis == JOBS
    assert found.figures[names.LATER].verdict == SAME
    assert found.figures[names.GROWTH_PER_JOB].verdict == SAME
    assert found.figures[names.GROWTH].verdict == MORE


def test_one_worker_alone_says_nothing_yet() -> None:
    found = pair({"processes": 1}, {"processes": 1, "birth_mb": 400.0})
    assert found.figures[names.BIRTH].verdict == UNKNOWN
    assert headline(found) == (
        "not known yet: it needs 4 processes of each release, or 3 and 5, and measured 1 before and 1 after"
    )


def test_a_canary_is_compared_with_what_runs_beside_it() -> None:
    now = timezone.now()
    old = store_release("2.3", now - 10 * HOUR, now, processes=8)
    new = store_release("2.4", now - 2 * HOUR, now, processes=3, birth_mb=180.0)
    found = compare(old, new, now)
    assert found.figures[names.BIRTH].verdict == MORE
    assert found.at == At(AGE, 3600)
    assert found.at_once
    assert found.peaks == []


def test_figures_that_are_null_are_not_known() -> None:
    nothing = dict.fromkeys(("heap_used_kib", "total_objects", "allocated_blocks", "gc_collections_gen2", "counts"))
    found = pair(nothing, {**nothing, "birth_mb": 200.0})
    assert found.figures[names.BIRTH].verdict == MORE
    for name in (names.PRIVATE, names.HEAP, names.OBJECTS, names.BLOCKS, names.COLLECTIONS, names.COLLECTING):
        assert found.figures[name].verdict == UNKNOWN
    assert found.types == []


def test_gc_time_is_estimated_from_collections_and_objects() -> None:
    """The new release makes as many full collections of six times as many objects."""
    now = timezone.now()
    born = {"gc_collections_gen0": 0, "gc_collections_gen1": 0, "gc_collections_gen2": 0}
    old = store_release("2.3", now - 10 * HOUR, now - 5 * HOUR, alive=False, total_objects=200_000, **born)
    new = store_release("2.4", now - 5 * HOUR, now, total_objects=1_200_000, **born)
    last = Snapshot.objects.filter(pk__in=Process.objects.values("last_snapshot"))
    last.update(gc_collections_gen0=100_000, gc_collections_gen1=9_000, gc_collections_gen2=800, total_objects=None)
    found = compare(old, new, now).figures
    assert found[names.COLLECTIONS].verdict == SAME
    collecting = found[names.COLLECTING]
    assert collecting.verdict == MORE
    hours = 5 - 5 / 60
    recent = 700 * 20e-9 * (100_000 + 10 * 9_000)
    assert collecting.before == pytest.approx((recent + 800 * 200_000 * 60e-9) / hours, rel=0.02)
    assert collecting.shift == pytest.approx(800 * 1_000_000 * 60e-9 / hours, rel=0.02)


def test_a_process_without_any_baseline_counts_as_none() -> None:
    now = timezone.now()
    old = store_release("2.3", now - 10 * HOUR, now - 5 * HOUR)
    new = store_release("2.4", now - 4 * HOUR, now)
    Baseline.objects.all().delete()
    Snapshot.objects.all().delete()
    found = compare(old, new, now)
    assert {change.verdict for change in found.figures.values()} == {UNKNOWN}
    assert found.at is None


def test_a_reset_baseline_is_no_birth() -> None:
    now = timezone.now()
    old = store_release("2.3", now - 10 * HOUR, now - 5 * HOUR)
    new = store_release("2.4", now - 4 * HOUR, now)
    Baseline.objects.update(active=False)
    for process in new.processes.all():
        Baseline.objects.create(service=new.service, process=process, timestamp=now, rss_kib=900_000)
    assert compare(old, new, now).figures[names.BIRTH].verdict == SAME


def test_workers_are_compared_with_workers() -> None:
    now = timezone.now()
    old = store_release("2.3", now - 10 * HOUR, now - 5 * HOUR)
    new = store_release("2.4", now - 4 * HOUR, now)
    for pk in new.processes.values_list("pk", flat=True)[:1]:
        Process.objects.filter(pk=pk).update(program="gunicorn main")
        Baseline.objects.filter(process=pk).update(rss_kib=9_000_000)
    found = compare(old, new, now)
    assert (found.after.processes, len(found.after.samples)) == (4, 3)


def test_peaks_are_those_of_hours_in_which_one_release_ran() -> None:
    now = timezone.now()
    old = store_release("2.3", now - 10 * HOUR, now - 5 * HOUR, alive=False)
    new = store_release("2.4", now - 4.5 * HOUR, now)
    for release, hours, mb in ((old, 8, 20), (new, 2, 90)):
        process = release.processes.first()
        assert process is not None
        store_work(
            process, now - hours * HOUR, work_figures("shop:report", calls=50, peak_calls=50, peak_kib=mb * 1024)
        )
    (peak,) = compare(old, new, now).peaks
    assert (peak.name, peak.verdict) == ("shop:report", MORE)
    assert peak.after_mb == pytest.approx(90, rel=0.06)


def test_a_service_with_another_name_is_compared_when_it_is_asked_for() -> None:
    now = timezone.now()
    old = store_release("2.3", now - 10 * HOUR, now - 5 * HOUR, service="web")
    new = store_release("2.4", now - 4 * HOUR, now, service="site", birth_mb=200.0)
    assert release_before(new) is None
    assert compare(old, new, now).figures[names.BIRTH].verdict == MORE


def test_the_release_before_is_one_that_enough_processes_ran() -> None:
    now = timezone.now()
    old = store_release("2.2", now - 10 * HOUR, now - 5 * HOUR)
    rolled_back = store_release("2.3", now - 5 * HOUR, now - 4.9 * HOUR, processes=1)
    new = store_release("2.4", now - 4 * HOUR, now)
    assert release_before(new) == old
    assert release_before(rolled_back) == old
    assert release_before(old) is None
    old.processes.all().delete()
    assert release_before(new) == rolled_back


def test_releases_are_found_by_name() -> None:
    now = timezone.now()
    old = store_release("2.3", now - 10 * HOUR, now, processes=1)
    new = store_release("2.4", now - 4 * HOUR, now, processes=1)
    assert named("web", "2.3") == old
    assert named("web", "9") is None
    assert newest_running("web") == new
    assert running() == [new]
    new.processes.update(ended_at=now)
    assert (newest_running("web"), running()) == (old, [old])
    old.processes.update(ended_at=now)
    assert newest_running("web") == new


def test_it_takes_as_many_queries_for_many_processes(
    django_assert_max_num_queries: Callable[[int], AbstractContextManager[Any]],
) -> None:
    now = timezone.now()
    old = store_release("2.3", now - 3 * HOUR, now - 1.5 * HOUR, processes=60)
    new = store_release("2.4", now - HOUR, now, processes=60)
    old, new = (Release.objects.select_related("service").get(pk=each.pk) for each in (old, new))
    with django_assert_max_num_queries(17):
        found = compare(old, new, now)
    assert len(found.after.samples) == 40
    assert Service.objects.count() == 1
