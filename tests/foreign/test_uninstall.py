"""memwatch goes as it came: nothing of it is left in a site, with Celery's own scheduler or with django-celery-beat."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import pytest
import redis

from memwatch.schedule import beat_schedule
from tests.foreign.conftest import Site
from tests.servers import PostgresServer, RedisServer

pytestmark = pytest.mark.deployment

SCHEDULERS = {
    "": "celery.beat:PersistentScheduler",
    "database": "django_celery_beat.schedulers:DatabaseScheduler",
}
SITES_OWN = {"the site's own": 2, "intervals": 1}
"""Celery's own cleaning and the depot's task, and the interval of that."""


@pytest.mark.parametrize("kept", SCHEDULERS)
def test_a_rehearsal_changes_nothing_and_then_nothing_of_memwatch_is_left(kept: str, site: Callable[..., Site]) -> None:
    _assert_nothing_left(kept, lambda: site("depot", SITE_SCHEDULER=kept), SITES_OWN if kept else {})


@pytest.mark.postgres
@pytest.mark.parametrize("kept", SCHEDULERS)
def test_nothing_is_left_in_postgresql(kept: str, site: Callable[..., Site], postgres_server: PostgresServer) -> None:
    def made() -> Site:
        with psycopg.connect(postgres_server.url, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS depot")
            connection.execute("CREATE DATABASE depot")
        there = site("depot", migrated=False, SITE_SCHEDULER=kept, SITE_POSTGRES=str(postgres_server.port))
        there.manage("migrate", "-v", "0")
        return there

    _assert_nothing_left(kept, made, SITES_OWN if kept else {})


@pytest.mark.redis
@pytest.mark.parametrize("kept", SCHEDULERS)
def test_nothing_is_left_in_redis(kept: str, site: Callable[..., Site], redis_server: RedisServer) -> None:
    address = redis_server.url.rpartition("/")[0]

    def made() -> Site:
        for number in (7, 8):
            with redis.Redis.from_url(f"{address}/{number}") as client:
                client.flushdb()
        return site("depot", SITE_SCHEDULER=kept, SITE_REDIS=address)

    told = _assert_nothing_left(kept, made, {"keys of the site": 2, **(SITES_OWN if kept else {})})
    assert told["before"]["keys"] >= 3, "the queue, reports and commands"


def _assert_nothing_left(kept: str, made: Callable[[], Site], rest: Mapping[str, int]) -> dict[str, Any]:
    if kept:
        pytest.importorskip("django_celery_beat", reason="django-celery-beat knows no Django as new as this one")
    told: dict[str, Any] = json.loads(made().run("-m", "tests.foreign.uninstalling", SCHEDULERS[kept]))

    tasks = len(beat_schedule({}))
    assert told["before"]["messages"] == tasks
    assert told["before"]["messages that never expire"] == 0
    assert told["before"]["tables"] > 10
    assert told["between"] == told["before"]
    assert "2  groups would be removed" in told["rehearsal"]
    assert f"{tasks}  messages in the queue 'memwatch' would be removed" in told["rehearsal"]
    assert "Nothing was changed" in told["rehearsal"]
    assert (f"{tasks}  periodic tasks of django-celery-beat would be removed" in told["rehearsal"]) is bool(kept)

    assert "2  groups removed" in told["done"]
    assert {what: count for what, count in told["after"].items() if count} == rest
    return told
