"""Whether the web process answers, and whether it can do its work."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from memwatch.conf import get_settings
from memwatch.models import Process

logger = logging.getLogger(__name__)

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

    A lag of the reports is shown, but fails nothing: taking the web away would not help the worker.
    """
    checks: dict[str, dict[str, Any]] = {
        "database": {"ok": False},
        "migrations": {"ok": False},
        "ingest": {"ok": False},
    }
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        checks["database"] = {"ok": True}
        checks["migrations"] = {"ok": _is_migrated()}
        if checks["migrations"]["ok"]:
            checks["ingest"] = _ingest()
    except DatabaseError as error:
        logger.warning("not ready: %s: %s", type(error).__name__, str(error)[:300])
    ready = checks["database"]["ok"] and checks["migrations"]["ok"]
    status = "unavailable" if not ready else "ok" if checks["ingest"]["ok"] else "degraded"
    return JsonResponse({"status": status, "checks": checks}, status=200 if ready else 503)


def _is_migrated() -> bool:
    name = str(connection.settings_dict["NAME"])
    if name not in _migrated:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes("memwatch")):
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
