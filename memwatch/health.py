"""Whether the web process answers, and whether it and what it works with can do their work."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import Error, transaction
from django.db.models import Max
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from memwatch.conf import HUB_BY_WORKER, get_settings
from memwatch.models import Lease, Process, connection
from memwatch.queries import transport_state
from memwatch.queries.deployment.site import timetable_runs

logger = logging.getLogger(__name__)

BEAT_LIMIT_S = 90.0
"""The slowest of beat's frequent tasks comes every minute."""
ANSWER_S = 2
"""How long a part may take to answer: one that is frozen takes the connection and says nothing."""
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
    for part in _PARTS.values():
        part.begin()
    try:
        _look_into_database(checks)
    except Error as error:
        logger.warning("not ready: %s: %s", type(error).__name__, str(error)[:300])
    for name in {"broker", "transport"} & set(checks):
        checks[name] = {"ok": _PARTS[name].is_well()}
    ready = checks["database"]["ok"] and checks["migrations"]["ok"]
    well = all(check["ok"] for check in checks.values())
    status = "unavailable" if not ready else "ok" if well else "degraded"
    return JsonResponse({"status": status, "checks": checks}, status=200 if ready else 503)


def _look_into_database(checks: dict[str, dict[str, Any]]) -> None:
    if not _PARTS["database"].is_well():
        return
    with connection.impatient(ANSWER_S):
        with connection.connection().cursor() as cursor:
            cursor.execute("SELECT 1")
        checks["database"] = {"ok": True}
        checks["migrations"] = {"ok": _is_migrated()}
        if checks["migrations"]["ok"]:
            checks["beat"] = _beat()
            if timetable_runs():  # nothing of memwatch's asks the broker
                del checks["broker"]
            checks["ingest"] = _ingest()


def _is_migrated() -> bool:
    name = str(connection.connection().settings_dict["NAME"])
    if name not in _migrated:
        if connection.missing_migrations():
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
    """When a task of the timetable was last done; fine where none has been yet and no process is watched."""
    last = Lease.objects.aggregate(last=Max("last_finished_at"))["last"]
    if last is None:
        return {"ok": not Process.objects.exists(), "age_s": None, "limit_s": BEAT_LIMIT_S}
    age_s = max(0.0, (timezone.now() - last).total_seconds())
    return {"ok": age_s <= BEAT_LIMIT_S, "age_s": round(age_s, 1), "limit_s": BEAT_LIMIT_S}


class _Part:
    """Whether something answers, asked once in a while however often somebody wants to know.

    By a thread of its own: what is frozen, takes the connection and never answers does not block the caller. It counts
    as away, and is asked no second time, until it does.
    """

    def __init__(self, name: str, ask: Callable[[], object], *, every_s: float) -> None:
        self._name, self._ask, self._every_s = name, ask, every_s
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Ask again the next time."""
        self._thread: threading.Thread | None = None
        self._asked = 0.0
        self._well = False

    def begin(self) -> None:
        """Ask, where what is known is too old."""
        with self._lock:
            thread = self._thread
            if thread is not None and (thread.is_alive() or time.monotonic() - self._asked <= self._every_s):
                return
            self._asked = time.monotonic()
            self._thread = threading.Thread(target=self._find_out, name=f"memwatch-asks-{self._name}", daemon=True)
            self._thread.start()

    def is_well(self) -> bool:
        """After :meth:`begin`; lasts no longer than the answer may."""
        thread = self._thread
        if thread is None:
            return False
        thread.join(max(0.0, self._asked + ANSWER_S - time.monotonic()))
        return self._well and not thread.is_alive()

    def _find_out(self) -> None:
        try:
            self._ask()
        except Exception as error:  # noqa: BLE001 - each kind of broker and transport has errors of its own
            logger.warning("the %s does not answer: %s: %s", self._name, type(error).__name__, str(error)[:300])
            self._well = False
        else:
            self._well = True


def _ask_broker() -> None:
    import celery  # noqa: PLC0415 - a site without it still has the other checks

    with celery.current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=ANSWER_S)


def _ask_transport() -> None:
    if get_settings().hub_transport != HUB_BY_WORKER:  # else only a worker can tell
        transport_state()


_PARTS = {
    "database": _Part("database", lambda: connection.knock(ANSWER_S), every_s=1.0),
    "broker": _Part("broker", _ask_broker, every_s=OUTSIDE_EVERY_S),
    "transport": _Part("transport", _ask_transport, every_s=OUTSIDE_EVERY_S),
}
