"""``/healthz`` and ``/readyz``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import celery
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from memwatch import health
from memwatch.models import Lease
from memwatch.queries.deployment.site import TIMETABLE
from memwatch.services import locking
from tests.services.stored import store_process


@pytest.fixture(autouse=True)
def asked_anew() -> None:
    """What broker and transport said to another test counts for nothing."""
    for part in health._PARTS.values():
        part.forget()


def test_healthz_answers_without_the_database(client: Client) -> None:
    # No mark: a query would fail this test.
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_shows_database_migrations_and_lag(client: Client) -> None:
    seen = timezone.now() - timedelta(seconds=10)
    process = store_process("a-secret-service", host="a-secret-host")
    process.last_seen_at = seen
    process.save()
    Lease.objects.create(name="ingest_reports", expires_at=seen, last_finished_at=seen)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ok"
    assert body["checks"]["database"] == body["checks"]["migrations"] == {"ok": True}
    assert body["checks"]["broker"] == body["checks"]["transport"] == {"ok": True}
    assert body["checks"]["beat"]["ok"]
    assert 9 < body["checks"]["ingest"]["lag_s"] < 60
    assert b"secret" not in answer.content


@pytest.mark.django_db
def test_readyz_is_fine_before_the_first_process(client: Client) -> None:
    assert client.get("/readyz").json()["status"] == "ok"


@pytest.mark.django_db
def test_old_reports_degrade_and_do_not_take_the_web_away(client: Client) -> None:
    store_process("web")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"]["ingest"]["ok"] is False


@pytest.mark.django_db
def test_a_migration_that_lacks_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated", set())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'memwatch'")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "database": {"ok": True},
        "migrations": {"ok": False},
        "ingest": {"ok": False},
        "beat": {"ok": False},
        "broker": {"ok": True},
        "transport": {"ok": True},
    }


@pytest.mark.django_db
def test_a_database_that_fails_is_not_ready(client: Client) -> None:
    def fail(*_args: Any) -> Any:
        from django.db import OperationalError

        raise OperationalError("the server closed the connection: a-secret-password")

    with connection.execute_wrapper(fail):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == {"ok": False}
    assert b"secret" not in answer.content


@pytest.mark.django_db
def test_a_broker_and_a_transport_that_are_away_degrade(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MEMWATCH_TRANSPORT", "redis://:a-secret-password@127.0.0.1:1/0")
    monkeypatch.setattr(celery.current_app.conf, "broker_url", "redis://:a-secret-password@127.0.0.1:1/0")
    settings.MEMWATCH = {}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    assert checks["broker"] == checks["transport"] == {"ok": False}
    assert b"secret" not in answer.content
    assert "a-secret-password" not in caplog.text


@pytest.mark.django_db
def test_where_memwatch_work_runs_the_timetable_nobody_asks_the_broker(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery.current_app.conf, "broker_url", "redis://127.0.0.1:1/0")
    assert client.get("/readyz").json()["checks"]["broker"] == {"ok": False}
    locking.claim(TIMETABLE, "here:7", 60)
    answer = client.get("/readyz").json()
    assert (answer["status"], "broker" in answer["checks"]) == ("ok", False)
    locking.claim(TIMETABLE, "here:7", -1)
    assert client.get("/readyz").json()["checks"]["broker"] == {"ok": False}


@pytest.mark.django_db
def test_a_beat_that_stopped_ticking_degrades(client: Client) -> None:
    process = store_process("web")
    process.last_seen_at = timezone.now()
    process.save()
    before = timezone.now() - timedelta(minutes=5)
    Lease.objects.create(name="ingest_reports", expires_at=before, last_finished_at=before)
    answer = client.get("/readyz").json()
    assert answer["status"] == "degraded"
    assert answer["checks"]["beat"]["ok"] is False
    assert answer["checks"]["beat"]["age_s"] > 290
