"""Known leaks where people look: the leak's page and route, the report, the page of known causes, the checks."""

from __future__ import annotations

import json

import pytest
from django.core import checks as django_checks
from django.urls import reverse
from django.utils import timezone

from memwatch import checks
from memwatch.known_causes import site as known_causes
from memwatch.models import Process
from memwatch.records.distributions import Distribution
from memwatch.services.ingest import writer
from tests.api.rows import store_leak
from tests.reports import process, report
from tests.terminal.conftest import run

__all__ = ["run"]
pytestmark = pytest.mark.django_db

INSTALLED = (
    Distribution("celery", "5.3.6", imported=True),
    Distribution("orjson", "3.9.0", imported=True),
    Distribution("ujson", "5.9.0", imported=False),
)
SENTENCE = "celery 5.3.6 has a known leak of tracebacks, fixed in 5.6.0."


@pytest.fixture
def watched() -> Process:
    writer.store([report(process(python="3.13.5"), distributions=INSTALLED)], now=timezone.now(), interval_s=60.0)
    return Process.objects.select_related("service").get()


def test_the_page_of_a_leak_names_the_release_that_fits_first(admin_client, watched):
    leak = store_leak(watched, "celery.app.trace.TraceInfo")
    text = admin_client.get(reverse("admin:memwatch_leak_change", args=(leak.pk,))).content.decode()
    assert text.index(f"<strong>{SENTENCE}</strong>") < text.index("orjson 3.9.0 has a known leak")
    assert "https://github.com/celery/celery/pull/9799" in text
    assert "ujson 5.9.0" not in text


def test_without_a_known_leak_the_page_says_nothing_of_them(admin_client):
    writer.store([report(process(python="3.13.5"))], now=timezone.now(), interval_s=60.0)
    leak = store_leak(Process.objects.get(), "traceback")
    text = admin_client.get(reverse("admin:memwatch_leak_change", args=(leak.pk,))).content.decode()
    assert "mw-known-leaks" not in text


def test_the_route_of_a_leak_has_them(admin_client, watched):
    leak = store_leak(watched, "traceback")
    first = admin_client.get(f"/api/v1/leaks/{leak.pk}/").json()["known_leaks"][0]
    assert first["sentence"] == SENTENCE
    assert (first["fits"], first["package"], first["version"], first["fixed_in"]) == (True, "celery", "5.3.6", "5.6.0")
    assert "known_leaks" not in admin_client.get("/api/v1/leaks/").json()["results"][0]


def test_a_leak_of_a_service_is_explained_by_what_its_processes_have(admin_client, watched):
    leak = store_leak(watched, "traceback")
    leak.process = None
    leak.save()
    found = admin_client.get(f"/api/v1/leaks/{leak.pk}/").json()["known_leaks"]
    assert [each["id"] for each in found] == ["celery-tracebacks", "orjson-default"]


def test_the_report_names_them(run, watched):
    store_leak(watched, "traceback")
    text = run("memwatch_report").out
    assert "  known leak: celery 5.3.6 has a known leak of tracebacks, fixed in 5.6.0 (https://" in text
    assert "Known leaks of what is installed\n  web: celery 5.3.6 has a known leak of tracebacks" in text
    made = json.loads(run("memwatch_report", "--format", "json").out)
    assert len(made["known"]) == 2
    assert "celery 5.3.6" in run("memwatch_report", "--format", "html").out
    assert "celery 5.3.6" in run("memwatch_report", "--format", "markdown").out


def test_the_page_of_known_causes_lists_what_the_processes_have_imported(admin_client, watched):
    text = admin_client.get(reverse("admin:memwatch_known_causes")).content.decode()
    assert SENTENCE in text
    assert "ujson 5.9.0" not in text


def test_many_leaks_take_no_more_queries(watched, django_assert_num_queries):
    from memwatch.queries.diagnosis.known_leaks import of_leaks

    leaks = [store_leak(watched, f"shop.Type{number}") for number in range(20)]
    with django_assert_num_queries(2):
        found = of_leaks(leaks)
    assert all(len(matches) == 2 for matches in found.values())


def test_a_check_of_the_site_warns_of_what_is_installed(monkeypatch):
    monkeypatch.setattr(checks, "distributions", lambda: list(INSTALLED))
    found = {
        each.obj: each
        for each in django_checks.run_checks(tags=[checks.CAUSES], include_deployment_checks=True)
        if each.id == "memwatch.W027"
    }
    assert set(found) == {"celery 5.3.6", "orjson 3.9.0", "ujson 5.9.0"}
    assert found["celery 5.3.6"].msg.startswith(SENTENCE)
    assert found["celery 5.3.6"].hint == "Run 5.6.0 or newer. See https://github.com/celery/celery/pull/9799"


def test_the_incremental_collector_is_one_of_them():
    assert [cause.key for cause in known_causes.interpreter("3.14.2")].count("W023") >= 1
