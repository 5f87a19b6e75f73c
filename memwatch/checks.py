"""System checks: a wrong setting stops the start with the key, the value and what would be right."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, router

from memwatch import conf
from memwatch.known_causes import site as known_causes
from memwatch.models import Process, connection
from memwatch.sampling.distributions import distributions
from memwatch.transport import open_uplink, redacted

DATABASES = ("postgresql", "sqlite")
"""Django's words for those that memwatch works on."""


@checks.register(checks.Tags.compatibility)
def check_settings(**_kwargs: Any) -> Iterable[checks.CheckMessage]:
    """``MEMWATCH`` and its environment variables, key by key."""
    given = getattr(django_settings, "MEMWATCH", {})
    if not isinstance(given, Mapping):
        return [checks.Error(f"MEMWATCH is a {type(given).__name__}", hint="Give a dict.", id="memwatch.E001")]
    wrong = conf.problems(given, os.environ)
    if wrong:
        return [checks.Error(sentence, obj=f"MEMWATCH[{key!r}]", id="memwatch.E001") for key, sentence in wrong]
    url = conf.get_settings().transport_url
    if not url.startswith("local:") and importlib.util.find_spec("redis") is None:
        return [
            checks.Error(
                f'MEMWATCH["TRANSPORT"] is {url.split(":", 1)[0]}:…, but the package redis is not installed',
                hint='Install "memwatch[redis]", or set TRANSPORT to "local:".',
                id="memwatch.E002",
            )
        ]
    wrong_urls = list(_check_urls(conf.get_settings()))
    if wrong_urls:
        return wrong_urls
    alias = conf.get_settings().recordings_storage
    if alias and alias not in django_settings.STORAGES:
        return [
            checks.Error(
                f'MEMWATCH["RECORDINGS_STORAGE"] is "{alias}", which is not in STORAGES',
                hint=f"Give one of {', '.join(django_settings.STORAGES)}, or nothing for a private folder.",
                id="memwatch.E003",
            )
        ]
    return _check_messages(conf.get_settings())


def _check_urls(settings: conf.Settings) -> Iterable[checks.CheckMessage]:
    """Nothing is connected to."""
    for key, url in (("TRANSPORT", settings.transport_url), ("HUB_TRANSPORT", settings.hub_url)):
        try:
            open_uplink(url, "check").close()
        except ValueError as wrong:
            yield checks.Error(
                f'MEMWATCH["{key}"] is {redacted(url)}: {wrong}',
                hint='Give "local:", "local:///a/folder" or "redis://host:6379/0".',
                id="memwatch.E001",
            )
            return


def _check_messages(settings: conf.Settings) -> list[checks.CheckMessage]:
    outside = [item for item in settings.alert_channels if str(item).startswith(("mailto:", "http://", "https://"))]
    if settings.site_url or not outside:
        return []
    return [
        checks.Warning(
            'MEMWATCH["ALERT_CHANNELS"] sends messages, and MEMWATCH["SITE_URL"] is not set',
            hint="The links in the messages need a host: give the address of the site, e.g. https://ops.example.org.",
            id="memwatch.W010",
        )
    ]


@checks.register(checks.Tags.compatibility)
def check_site(**_kwargs: Any) -> Iterable[checks.CheckMessage]:
    """What memwatch needs of the site around it."""
    found: list[checks.CheckMessage] = []
    if not django_settings.USE_TZ:
        text, _, hint = connection.WITHOUT_ZONES.partition(": ")
        found.append(checks.Error(text, hint=f"{hint[0].upper()}{hint[1:]}.", id="memwatch.E004"))
    return [*found, *_check_routers(), *_check_engine()]


def _check_engine() -> Iterable[checks.CheckMessage]:
    """MySQL and MariaDB make the tables without the constraints that keep two writers apart."""
    where = connection.connection()
    if where.vendor not in DATABASES:
        yield checks.Error(
            f"memwatch does not work on {where.display_name}, where its tables go",
            hint="This database has no unique constraints with conditions. Use PostgreSQL, or SQLite on one machine. "
            "A database router can send memwatch's tables there.",
            id="memwatch.E006",
        )


def _check_routers() -> Iterable[checks.CheckMessage]:
    """Rows of memwatch name users, and one task reads what another has just written."""
    own, users = connection.alias(), get_user_model()
    if router.db_for_write(users) != own:
        yield checks.Error(
            f"memwatch's tables go to the database {own!r}, users to {router.db_for_write(users)!r}",
            hint="Django cannot relate rows across databases: let the router send the application labels memwatch and "
            f"{users._meta.app_label} to the same database.",
            id="memwatch.E005",
        )
    replica = router.db_for_read(Process)
    if replica != own:
        yield checks.Warning(
            f"memwatch's rows are written to the database {own!r} and read from {replica!r}",
            hint="A task reads what another has just written, and a replica may lag: let the router's db_for_read "
            f"return {own!r} for the application label memwatch.",
            id="memwatch.W003",
        )


@checks.register(checks.Tags.database)
def check_database(
    databases: Iterable[str] | None = None, *, configured: Mapping[str, Any] | None = None, **_kwargs: Any
) -> Iterable[checks.CheckMessage]:
    """What makes SQLite fail as "database is locked" while reports are stored, and questions wait in vain."""
    found = list(_check_timetable()) if connection.alias() in (databases or ()) else []
    for alias in databases or ():
        database = (configured or django_settings.DATABASES)[alias]
        if database.get("ATOMIC_REQUESTS") and _hub_is_lent():
            found.append(
                checks.Warning(
                    f'DATABASES["{alias}"] has ATOMIC_REQUESTS, and MEMWATCH["HUB_TRANSPORT"] is "worker"',
                    hint="Switch ATOMIC_REQUESTS off: a worker sees the command of a page only after the page is done.",
                    id="memwatch.W011",
                )
            )
        if not str(database.get("ENGINE", "")).endswith("sqlite3"):
            continue
        mode = str(database.get("OPTIONS", {}).get("transaction_mode", "")).upper()
        if mode not in ("IMMEDIATE", "EXCLUSIVE"):
            found.append(
                checks.Warning(
                    f'DATABASES["{alias}"] is SQLite with transaction_mode {mode or "DEFERRED"}',
                    hint='Set OPTIONS["transaction_mode"] to "IMMEDIATE", with WAL. Else writers fail as "locked".',
                    id="memwatch.W001",
                )
            )
        if database.get("ATOMIC_REQUESTS"):
            found.append(
                checks.Warning(
                    f'DATABASES["{alias}"] is SQLite with ATOMIC_REQUESTS',
                    hint="Switch ATOMIC_REQUESTS off. With it every page waits for the writer.",
                    id="memwatch.W002",
                )
            )
    return found


def _check_timetable() -> Iterable[checks.CheckMessage]:
    """Where Celery is not installed, ``memwatch_work`` does its part."""
    if importlib.util.find_spec("celery") is not None:
        return
    from memwatch.queries.deployment.site import timetable_runs  # noqa: PLC0415 - each process of the site loads checks

    try:
        runs = timetable_runs()
    except DatabaseError:  # no tables yet
        runs = ""
    if not runs:
        yield checks.Warning(
            "Celery is not installed, and memwatch_work does not run: no report is stored",
            hint='Start "manage.py memwatch_work", or install "memwatch[django]" and start beat and a worker.',
            id="memwatch.W004",
        )
    if _hub_is_lent():
        yield checks.Warning(
            'MEMWATCH["HUB_TRANSPORT"] is "worker", and Celery is not installed: no page can send a command',
            hint="Give the URL of a user that may send commands.",
            id="memwatch.W012",
        )


def _hub_is_lent() -> bool:
    try:
        return conf.get_settings().hub_transport == conf.HUB_BY_WORKER
    except ImproperlyConfigured:
        return False  # said by the check of the settings


CAUSES = "memwatch"
"""``manage.py check --tag memwatch``: causes of leaks that are known. Warnings, never errors."""


@checks.register(CAUSES)
def check_code(**_kwargs: Any) -> Iterable[checks.CheckMessage]:
    """What is known to leak in this site's classes."""
    return _warnings(known_causes.of_the_code())


@checks.register(CAUSES, deploy=True)
def check_deployment(**_kwargs: Any) -> Iterable[checks.CheckMessage]:
    """What leaks, or hides leaks, where processes run long: with ``check --deploy`` only."""
    return _warnings(known_causes.of_the_settings(django_settings))


@checks.register(CAUSES, deploy=True)
def check_releases(**_kwargs: Any) -> Iterable[checks.CheckMessage]:
    """What is known to leak in this Python and in what is installed.

    With ``check --deploy`` only: a Celery worker runs the other checks at its start, and would keep 1 MB of this.
    """
    python = platform.python_version()
    return _warnings([*known_causes.interpreter(python), *known_causes.packages(distributions(), python)])


def _warnings(causes: Iterable[known_causes.Cause]) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            cause.what, hint=f"{cause.remedy} See {cause.source}", obj=cause.where, id=f"memwatch.{cause.key}"
        )
        for cause in causes
    ]
