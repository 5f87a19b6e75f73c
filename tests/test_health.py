"""``/healthz`` and ``/readyz``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from memwatch import health
from tests.services.stored import store_process


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
    answer = client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ok"
    assert body["checks"]["database"] == body["checks"]["migrations"] == {"ok": True}
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
