"""``/healthz`` and ``/readyz`` of a web server whose PostgreSQL, broker or transport is frozen, locked or gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.servers import PostgresServer, RedisServer, free_port, postgres_program, redis_program
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.deployment]

ROOT = Path(__file__).parents[1]
WITHIN_S = 120.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """One of our own: it is frozen."""
    yield from running(PostgresServer(postgres_program()))


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """One of our own: it is frozen."""
    yield from running(RedisServer(redis_program()))


def running(server: Any) -> Iterator[Any]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def web(
    postgres: PostgresServer, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], tuple[int, Any]]]:
    """Asks the deployment's gunicorn for a path."""
    port = free_port()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "MEMWATCH_VAR": str(tmp_path_factory.mktemp("web") / "var"),
        "MEMWATCH_TRANSPORT": redis.url,
        "CELERY_BROKER_URL": redis.url.removesuffix("/0") + "/1",
        "MEMWATCH_AGENT": "off",
        "DATABASE_URL": postgres.url,
        "PORT": str(port),
        "WEB_WORKERS": "1",
    }
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, timeout=600)
    serve = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn_conf.py", "project.wsgi"]
    process = subprocess.Popen(serve, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path: str) -> tuple[int, Any]:
        """An answer within 30 seconds, or the test fails."""
        try:
            with opener.open(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    try:
        until(lambda: ask("/healthz"), within_s=WITHIN_S)
        yield ask
    finally:
        process.terminate()
        process.wait(30)


def wait_for(web: Callable[[str], tuple[int, Any]], code: int, **wanted: bool) -> None:
    """Until ``/readyz`` says so; it and ``/healthz`` are answered all the while."""

    def as_wanted() -> bool:
        found, body = web("/readyz")
        assert web("/healthz") == (200, {"status": "ok"})
        return (found, {name: body["checks"][name]["ok"] for name in wanted}) == (code, wanted)

    until(as_wanted, within_s=WITHIN_S, every_s=0.2, seen=lambda: web("/readyz"))


WELL = {"database": True, "migrations": True, "broker": True, "transport": True}


def test_a_frozen_database_is_not_ready_and_holds_up_no_answer(postgres: PostgresServer, web: Any) -> None:
    wait_for(web, 200, **WELL)
    postgres.each_process(psutil.Process.suspend)
    try:
        wait_for(web, 503, database=False, migrations=False, broker=True, transport=True)
    finally:
        postgres.each_process(psutil.Process.resume)
    wait_for(web, 200, **WELL)


def test_a_table_locked_by_a_migration_holds_up_no_answer(postgres: PostgresServer, web: Any) -> None:
    wait_for(web, 200, **WELL, ingest=True)
    with psycopg.connect(postgres.url) as connection:
        connection.execute("LOCK TABLE memwatch_process IN ACCESS EXCLUSIVE MODE")
        wait_for(web, 200, **WELL, ingest=False)
        connection.rollback()
    wait_for(web, 200, **WELL, ingest=True)


def test_a_frozen_redis_degrades_and_holds_up_no_answer(redis: RedisServer, web: Any) -> None:
    wait_for(web, 200, **WELL)
    redis.pause()
    try:
        wait_for(web, 200, database=True, migrations=True, broker=False, transport=False)
    finally:
        redis.resume()
    wait_for(web, 200, **WELL)


def test_servers_that_are_gone_are_told(postgres: PostgresServer, redis: RedisServer, web: Any) -> None:
    wait_for(web, 200, **WELL)
    for server in (postgres, redis):
        server.kill()
    wait_for(web, 503, database=False, migrations=False, broker=False, transport=False, beat=False, ingest=False)
    for server in (postgres, redis):
        server.start()
    wait_for(web, 200, **WELL)
