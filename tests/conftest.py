"""Servers shared by the whole run. Tests that stop or fill a server start their own."""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from django.db import connection

from tests import skips
from tests.distribution import Distribution, place
from tests.servers import PostgresServer, RedisServer, postgres_program, redis_program

# Their own limits of time would fail tests on a busy machine.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A running redis-server; use keys of your own."""
    server = RedisServer(redis_program())
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """Its URL."""
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL."""
    server = PostgresServer(postgres_program())
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database of the test's own; the user is ``memwatch``."""
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]  # a name of ours
    return f"{postgres_server.url.rpartition('/')[0]}/{name}"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table of the deployment, made once for all workers: the migrations take 3 s. Copy it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made, var = folder / "migrated.sqlite3", folder / "migrated"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
                cwd=Path(__file__).parents[1],
                env={
                    **os.environ, "DJANGO_SETTINGS_MODULE": "project.settings", "MEMWATCH_VAR": str(var),
                    "DATABASE_URL": f"sqlite:///{var}/db.sqlite3", "MEMWATCH_AGENT": "off",
                },
                check=True,
            )  # fmt: skip
            (var / "db.sqlite3").rename(made)
    return made


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> Iterator[bool]:
    """A worker's database in memory begins as a copy of what ``migrated`` has, and is gone with the worker."""
    if "PYTEST_XDIST_WORKER" not in os.environ or connection.vendor != "sqlite":
        yield bool(request.config.getoption("reuse_db"))
        return
    name = connection.creation._get_test_db_name()
    made = request.getfixturevalue("migrated")
    with closing(sqlite3.connect(made)) as before, closing(sqlite3.connect(name, uri=True)) as memory:
        before.backup(memory)
        yield True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long is left to ``make soak``, what installs other people's projects to ``make test-sites``."""
    for switch, marker in (("MEMWATCH_SOAK", "soak"), ("MEMWATCH_SITES", "sites")):
        if not os.environ.get(switch):
            left = [item for item in items if item.get_closest_marker(marker)]
            items[:] = [item for item in items if item not in left]
            config.hook.pytest_deselected(items=left)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Distribution | None:
    """Of ``make test``; with another ``--dist`` or order, pytest-xdist's own."""
    ours = config.getoption("dist") == "loadfile" and not config.getoption("loadscopereorder")
    return Distribution(config, log) if ours else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip counts as a failure where everything is required."""
    report = yield
    skips.judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So does a file that is skipped whole."""
    report = yield
    skips.judge(report)
    return report
