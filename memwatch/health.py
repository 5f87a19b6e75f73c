"""Whether the web process answers, and whether it and what it works with can do their work."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Max
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from memwatch.conf import HUB_BY_WORKER, get_settings
from memwatch.models import Lease, Process, database
from memwatch.queries import transport_state

logger = logging.getLogger(__name__)

BEAT_LIMIT_S = 90.0
"""The slowest of beat's frequent tasks comes every minute."""
BROKER_TIMEOUT_S = 2
OUTSIDE_EVERY_S = 10.0
"""Broker and transport are asked no more often."""

_migrated: set[str] = set()
"""Databases seen with every migration applied: they stay so, and looking costs reading every migration."""


@transaction.non_atomic_requests
@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """200: the process answers. Nothing else is looked at."""
    return JsonResponse({"status": "ok"})


@transaction.non_atomic_requests
@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 with the checks, or 503 where the database or its tables are missing.

    The broker, the transport, beat's last tick and the lag of the reports are shown, but fail nothing: taking the web
    away would not help them. Nothing here says more than that a part is well: anyone may ask.
    """
    checks: dict[str, dict[str, Any]] = {
        "database": {"ok": False},
        "migrations": {"ok": False},
        "broker": {"ok": False},
        "transport": {"ok": False},
        "beat": {"ok": False},
        "ingest": {"ok": False},
    }
    try:
        with database.connection().cursor() as cursor:
            cursor.execute("SELECT 1")
        checks["database"] = {"ok": True}
        checks["migrations"] = {"ok": _is_migrated()}
        if checks["migrations"]["ok"]:
            checks["ingest"] = _ingest()
            checks["beat"] = _beat()
    except DatabaseError as error:
        logger.warning("not ready: %s: %s", type(error).__name__, str(error)[:300])
    checks["broker"], checks["transport"] = _outside.checks()
    ready = checks["database"]["ok"] and checks["migrations"]["ok"]
    well = all(check["ok"] for check in checks.values())
    status = "unavailable" if not ready else "ok" if well else "degraded"
    return JsonResponse({"status": status, "checks": checks}, status=200 if ready else 503)


def _is_migrated() -> bool:
    name = str(database.connection().settings_dict["NAME"])
    if name not in _migrated:
        if database.missing_migrations():
            return False
        _migrated.add(name)
    return True


def _ingest() -> dict[str, Any]:
    """How old the newest report is; fine where no process is watched yet."""
    newest = Process.objects.alive().aggregate(newest=Max("last_seen_at"))["newest"]
    limit_s = 2 * get_settings().snapshot_interval + 30
    if newest is None:
        return {"ok": True, "lag_s": None, "limit_s": limit_s}
    lag_s = max(0.0, (timezone.now() - newest).total_seconds())
    return {"ok": lag_s <= limit_s, "lag_s": round(lag_s, 1), "limit_s": limit_s}


def _beat() -> dict[str, Any]:
    """When a task of beat's was last done; fine where none has been yet and no process is watched."""
    last = Lease.objects.aggregate(last=Max("last_finished_at"))["last"]
    if last is None:
        return {"ok": not Process.objects.exists(), "age_s": None, "limit_s": BEAT_LIMIT_S}
    age_s = max(0.0, (timezone.now() - last).total_seconds())
    return {"ok": age_s <= BEAT_LIMIT_S, "age_s": round(age_s, 1), "limit_s": BEAT_LIMIT_S}


class _Outside:
    """Whether broker and transport answer, asked once in a while however often somebody wants to know."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: tuple[dict[str, Any], dict[str, Any]] | None = None
        self._asked = 0.0

    def checks(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of the broker and of the transport."""
        with self._lock:
            if self._found is None or time.monotonic() - self._asked > OUTSIDE_EVERY_S:
                self._found = {"ok": _answers("broker", _ask_broker)}, {"ok": _answers("transport", _ask_transport)}
                self._asked = time.monotonic()
            return self._found

    def forget(self) -> None:
        """Ask anew the next time."""
        self._found = None


_outside = _Outside()


def _answers(name: str, ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Exception as error:  # noqa: BLE001 - each kind of broker and transport has errors of its own
        logger.warning("the %s does not answer: %s: %s", name, type(error).__name__, str(error)[:300])
        return False
    return True


def _ask_broker() -> None:
    import celery  # noqa: PLC0415 - a site without it still has the other checks

    with celery.current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)


def _ask_transport() -> None:
    if get_settings().hub_transport != HUB_BY_WORKER:  # else only a worker can tell
        transport_state()
