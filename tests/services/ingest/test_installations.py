"""The distributions of processes are stored once for all that have the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from memwatch.models import Installation, Process, Release
from memwatch.queries.processes.installations import distributions_of, installed, versions_of_release
from memwatch.records.distributions import Distribution, Package
from memwatch.services.ingest import writer
from memwatch.services.ingest.installations import MOST_PACKAGES
from memwatch.services.retention import prune
from tests.reports import START, process, report

pytestmark = pytest.mark.django_db

CELERY, DJANGO = Distribution("celery", "5.3.6", True), Distribution("django", "5.2")


def store(*reports, now=START):
    writer.store(reports, now=now, interval_s=60.0)


def test_processes_with_the_same_share_a_row():
    store(*(report(process(pid), distributions=(CELERY, DJANGO)) for pid in range(100, 150)))
    store(report(process(200), distributions=(DJANGO, CELERY)))
    row = Installation.objects.get()
    assert row.versions == {"celery": "5.3.6", "django": "5.2"}
    assert Process.objects.filter(installation=row).count() == 51
    assert distributions_of(Process.objects.first()) == [CELERY, DJANGO]


def test_what_any_of_them_has_imported_is_imported():
    store(report(process(100), distributions=(CELERY, DJANGO)))
    store(report(process(101), distributions=(CELERY, DJANGO._replace(imported=True))))
    store(report(process(102), distributions=(CELERY, DJANGO)))
    assert Installation.objects.get().imported == ["celery", "django"]


def test_services_are_kept_apart():
    store(report(process(100), distributions=(CELERY,)), report(process(101, service="jobs"), distributions=(CELERY,)))
    assert sorted(Installation.objects.values_list("service__name", flat=True)) == ["jobs", "web"]


def test_later_reports_leave_it_alone_and_a_process_without_any_has_none():
    store(report(process(100), distributions=(CELERY,)), report(process(101)))
    store(report(process(100)))
    with_, without = Process.objects.order_by("pid")
    assert distributions_of(with_) == [CELERY]
    assert distributions_of(without) == []


def test_the_versions_of_a_release_are_asked_in_one_query(django_assert_num_queries):
    newer = CELERY._replace(version="5.6.0")
    store(
        report(process(100, release="2.3"), distributions=(CELERY, DJANGO)),
        report(process(101, release="2.4"), distributions=(newer, DJANGO)),
        report(process(102, release="2.4"), distributions=(newer,)),
    )
    before, after = Release.objects.order_by("name")
    with django_assert_num_queries(1):
        assert versions_of_release(before) == {"celery": ("5.3.6",), "django": ("5.2",)}
    assert versions_of_release(after) == {"celery": ("5.6.0",), "django": ("5.2",)}


def test_what_runs_now_is_asked_with_its_python():
    store(
        report(process(100, python="3.12.1"), distributions=(CELERY,)),
        report(process(101, python="3.12.1"), distributions=(CELERY,)),
        report(process(102, python="3.13.0"), distributions=(CELERY,)),
        report(process(103)),
    )
    found = installed(Process.objects.all())
    assert [(each.service, each.python, each.distributions) for each in found] == [
        ("web", "3.12.1", (CELERY,)),
        ("web", "3.13.0", (CELERY,)),
    ]


def test_a_row_goes_with_the_last_process_that_has_it():
    now = timezone.now()
    store(report(process(100), distributions=(CELERY,)), report(process(101), distributions=(DJANGO,)), now=now)
    assert prune(now).installations == 0
    Process.objects.filter(pid=100).update(ended_at=now - timedelta(days=4000))
    assert prune(now, dry_run=True).installations == 0
    assert prune(now).installations == 1
    assert Installation.objects.get().versions == {"django": "5.2"}


def test_the_modules_of_processes_are_summed_up_by_release():
    def imported(pid, modules, release="2.3"):
        return report(
            process(pid, release=release), distributions=(CELERY,), packages=(Package("celery", modules, "celery"),)
        )

    store(imported(100, 90), imported(101, 96), imported(102, 400, "2.4"))
    store(imported(100, 90))  # delivered twice
    rows = {row.processes.first().release.name: row for row in Installation.objects.all()}
    assert {name: (row.packages, row.reports) for name, row in rows.items()} == {
        "2.3": ({"celery": ["celery", 186]}, 2),
        "2.4": ({"celery": ["celery", 400]}, 1),
    }


def test_packages_of_many_processes_stay_bounded():
    for pid in range(8):
        packages = tuple(Package(f"p{pid}_{n}", 1) for n in range(200))
        store(report(process(100 + pid), distributions=(CELERY,), packages=packages))
    row = Installation.objects.get()
    assert len(row.packages) <= MOST_PACKAGES + 1
    assert sum(modules for _name, modules in row.packages.values()) == 1_600
