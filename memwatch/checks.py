"""System checks: a wrong setting stops the start with the key, the value and what would be right."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.core import checks

from memwatch import conf, known_causes


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


def _check_messages(settings: conf.Settings) -> list[checks.CheckMessage]:
    outside = [item for item in settings.alert_channels if str(item).startswith(("mailto:", "http://", "https://"))]
    if settings.site_url or not outside:
        return []
    return [
        checks.Warning(
            'MEMWATCH["ALERT_CHANNELS"] sends messages, and MEMWATCH["SITE_URL"] is not set',
            hint="Their links lack the host: give the address of the site, e.g. https://ops.example.org.",
            id="memwatch.W010",
        )
    ]


@checks.register(checks.Tags.database)
def check_database(
    databases: Iterable[str] | None = None, *, configured: Mapping[str, Any] | None = None, **_kwargs: Any
) -> Iterable[checks.CheckMessage]:
    """What makes SQLite fail as "database is locked" while reports are stored."""
    found: list[checks.CheckMessage] = []
    for alias in databases or ():
        database = (configured or django_settings.DATABASES)[alias]
        if not str(database.get("ENGINE", "")).endswith("sqlite3"):
            continue
        mode = str(database.get("OPTIONS", {}).get("transaction_mode", "")).upper()
        if mode not in ("IMMEDIATE", "EXCLUSIVE"):
            found.append(
                checks.Warning(
                    f'DATABASES["{alias}"] is SQLite with transaction_mode {mode or "DEFERRED"}',
                    hint='Set OPTIONS["transaction_mode"] to "IMMEDIATE", in WAL: else writers fail as "locked".',
                    id="memwatch.W001",
                )
            )
        if database.get("ATOMIC_REQUESTS"):
            found.append(
                checks.Warning(
                    f'DATABASES["{alias}"] is SQLite with ATOMIC_REQUESTS',
                    hint="Leave ATOMIC_REQUESTS off: every page would wait for the writer.",
                    id="memwatch.W002",
                )
            )
    return found


CAUSES = "memwatch"
"""``manage.py check --tag memwatch``: causes of leaks that are known. Warnings, never errors."""


@checks.register(CAUSES)
def check_code(**_kwargs: Any) -> Iterable[checks.CheckMessage]:
    """What is known to leak in this site's classes and in this Python."""
    return _warnings([*known_causes.of_the_code(), *known_causes.interpreter(platform.python_version())])


@checks.register(CAUSES, deploy=True)
def check_deployment(**_kwargs: Any) -> Iterable[checks.CheckMessage]:
    """What leaks, or hides leaks, where processes run long: with ``check --deploy`` only."""
    return _warnings(known_causes.of_the_settings(django_settings))


def _warnings(causes: Iterable[known_causes.Cause]) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            cause.what, hint=f"{cause.remedy} See {cause.source}", obj=cause.where, id=f"memwatch.{cause.key}"
        )
        for cause in causes
    ]
