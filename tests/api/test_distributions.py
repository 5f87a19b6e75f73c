"""The distributions of a process, through the API and on its page."""

from __future__ import annotations

import pytest
from django.urls import reverse

from memwatch.models import Process
from memwatch.records.distributions import Distribution
from memwatch.services.ingest import writer
from tests.reports import START, process, report

pytestmark = pytest.mark.django_db

FOUND = (Distribution("celery", "5.3.6", True), Distribution("evil", "1.0<script>alert(1)</script>"))


@pytest.fixture
def stored() -> Process:
    writer.store([report(process(), distributions=FOUND)], now=START, interval_s=60.0)
    return Process.objects.get()


def test_they_are_a_route_of_the_process(admin_client, stored):
    answer = admin_client.get(f"/api/v1/processes/{stored.pk}/distributions/")
    assert answer.status_code == 200
    assert answer.json() == [
        {"name": "celery", "version": "5.3.6", "imported": True},
        {"name": "evil", "version": "1.0<script>alert(1)</script>", "imported": False},
    ]


def test_they_are_folded_up_on_the_page_of_the_process(admin_client, stored):
    text = admin_client.get(reverse("admin:memwatch_process_change", args=(stored.pk,))).content.decode()
    assert "2 installed" in text
    assert "celery 5.3.6" in text
    assert "<script>alert" not in text


def test_a_process_without_any_has_none(admin_client):
    writer.store([report(process())], now=START, interval_s=60.0)
    pk = Process.objects.get().pk
    assert admin_client.get(f"/api/v1/processes/{pk}/distributions/").json() == []
    text = admin_client.get(reverse("admin:memwatch_process_change", args=(pk,))).content.decode()
    assert "mw-distributions" not in text
