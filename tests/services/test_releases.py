"""The comparison is made for the newest release that runs, stored, told once, and shown on every face."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from memwatch.metrics.fleet import observe
from memwatch.models import Alert, Notification, Release
from memwatch.services import alerts, releases
from tests.services.stored_releases import DJANGO, store_release

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
SAYS = "+150 MB a worker at birth, of it about 150 MB from 977 modules of ddtrace 4.1"


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def grown(now: datetime) -> Release:
    """2.4 of the service, which imports ddtrace; 2.3 ran before it."""
    store_release("2.3", now - 3 * HOUR, now - 2 * HOUR, alive=False)
    return store_release(
        "2.4", now - 1.5 * HOUR, now, birth_mb=250.0, packages={**DJANGO, "ddtrace": ("ddtrace", 977)},
        versions={"django": "5.2", "ddtrace": "4.1"},
    )  # fmt: skip


def test_it_is_told_once_and_for_a_day(grown: Release, now: datetime, admin_client: Client) -> None:
    assert releases.check(now) == 1
    assert releases.check(now) == 0
    alerts.check(now)
    (alert,) = Alert.objects.filter(type="release_change")
    assert alert.message.startswith(f"web 2.4: {SAYS}.")
    assert alert.value == pytest.approx(150, abs=1)
    (message,) = Notification.objects.filter(alert=alert)
    assert message.payload["url"].endswith(reverse("admin:memwatch_release_change", args=(grown.pk,)))
    shown = admin_client.get(reverse("admin:memwatch_alert_change", args=(alert.pk,))).content.decode()
    assert reverse("admin:memwatch_release_change", args=(grown.pk,)) in shown
    later = now + timedelta(minutes=10)
    assert releases.check(later) == 1
    alerts.check(later)
    assert Alert.objects.filter(type="release_change").count() == 1
    alerts.check(now + timedelta(hours=25))
    assert Alert.objects.raised().filter(type="release_change").count() == 0
    releases.check(now + timedelta(hours=26))
    alerts.check(now + timedelta(hours=26))
    assert Alert.objects.filter(type="release_change").count() == 1


def test_a_release_that_runs_no_longer_is_no_news(grown: Release, now: datetime) -> None:
    releases.check(now)
    alerts.check(now)
    grown.processes.update(ended_at=now)
    alerts.check(now + timedelta(minutes=1))
    assert not Alert.objects.raised().filter(type="release_change").exists()


def test_nothing_is_said_where_nothing_changed(now: datetime) -> None:
    store_release("2.3", now - 3 * HOUR, now - 2 * HOUR, alive=False)
    new = store_release("2.4", now - 1.5 * HOUR, now)
    releases.check(now)
    alerts.check(now)
    new.refresh_from_db()
    assert (new.changes["says"], new.changed_at) == ("no change of its memory", None)
    assert not Alert.objects.filter(type="release_change").exists()
    assert {labels["figure"]: value for labels, value in observe().release_changes}["rss_birth"] == 0.0


def test_the_first_release_and_one_worker_say_nothing_yet(now: datetime) -> None:
    first = store_release("2.3", now - 3 * HOUR, now, processes=1)
    assert releases.check(now) == 1
    first.refresh_from_db()
    assert (first.compared_at, first.compared_with, first.changes) == (now, None, {})
    store_release("2.4", now - 2 * HOUR, now, processes=1, birth_mb=900.0)
    releases.check(now)
    alerts.check(now)
    assert not Alert.objects.filter(type="release_change").exists()
    assert observe().release_changes == []


def test_every_face_shows_it(grown: Release, now: datetime, admin_client: Client) -> None:
    releases.check(now)
    changes = {labels["figure"]: (labels, value) for labels, value in observe().release_changes}
    labels, value = changes["rss_birth"]
    assert (labels["service"], labels["release"]) == ("web", "2.4")
    assert value == pytest.approx(150 * 1024 * 1024, rel=0.01)
    out = StringIO()
    call_command("memwatch_report", stdout=out)
    assert f"What releases changed\n  web 2.4 against 2.3: {SAYS}\n" in out.getvalue()
    for form in ("markdown", "json", "html"):
        out = StringIO()
        call_command("memwatch_report", "--format", form, stdout=out)
        assert "977 modules" in out.getvalue()
    page = admin_client.get(reverse("admin:memwatch_release_change", args=(grown.pk,))).content.decode()
    for text in (f"Against 2.3: {SAYS}.", "RSS at birth", "+150.0 MB", "ddtrace", "4.1", "by its new modules"):
        assert text in page, text
    listed = admin_client.get(reverse("admin:memwatch_release_changelist")).content.decode()
    assert SAYS in listed


def test_the_page_compares_with_any_release_of_the_service(grown: Release, now: datetime, admin_client: Client) -> None:
    older = store_release("2.2", now - 9 * HOUR, now - 8 * HOUR, alive=False, birth_mb=240.0)
    page = reverse("admin:memwatch_release_change", args=(grown.pk,))
    assert "Against 2.2:" in admin_client.get(f"{page}?from={older.pk}").content.decode()
    for odd in ("x", "999999", "-1", "9" * 40, ""):
        assert "Against 2.3:" in admin_client.get(f"{page}?from={odd}").content.decode()


def test_the_api_compares(grown: Release, now: datetime, make_client: Callable[[], APIClient]) -> None:
    client = make_client()
    answer = client.get("/api/v1/releases/compare/?service=web&from=2.3&to=2.4")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["from_release"], found["to_release"], found["known"], found["says"]) == ("2.3", "2.4", True, SAYS)
    birth = next(each for each in found["figures"] if each["name"] == "rss_birth")
    assert (birth["verdict"], birth["processes_after"], birth["unit"]) == ("more", 4, "MB")
    assert [(each["name"], each["version_after"], each["basis"]) for each in found["dependencies"]] == [
        ("ddtrace", "4.1", "modules")
    ]
    assert client.get("/api/v1/releases/compare/?service=web").json() == found
    store_release("1.0", now - HOUR, now, service="site")
    renamed = client.get("/api/v1/releases/compare/?service=site&from=2.3&from_service=web").json()
    assert (renamed["from_service"], renamed["service"], renamed["from_release"]) == ("web", "site", "2.3")
    for query, status in (
        ("", 400), ("?service=nobody", 404), ("?service=web&to=9", 404), ("?service=web&from=9", 404),
        ("?service=web&to=2.3", 404), ("?service=%00", 400),
    ):  # fmt: skip
        assert client.get(f"/api/v1/releases/compare/{query}").status_code == status, query
    assert [row["name"] for row in client.get("/api/v1/releases/?service=web").json()["results"]] == ["2.4", "2.3"]


@pytest.fixture
def make_client(django_user_model: type) -> Callable[[], APIClient]:
    def make() -> APIClient:
        client = APIClient()
        client.force_authenticate(django_user_model.objects.create_superuser("root", password="x"))  # type: ignore[attr-defined]
        return client

    return make
