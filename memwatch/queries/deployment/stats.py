"""How memwatch itself is doing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from memwatch.conf import HUB_BY_WORKER, get_settings
from memwatch.models import Alert, ExpectedGrowth, Leak, Process, Service, Severity
from memwatch.queries.deployment import counters
from memwatch.queries.processes.fleet import Glance, glance
from memwatch.transport import HubState, TransportUnavailable, open_hub


def stats(now: datetime | None = None, *, seen: Sequence[Glance] | None = None) -> dict[str, Any]:
    """JSON-ready: the fleet, what was stored and lost, open leaks by severity, lag, transport, costs.

    A process is silent when its last report is older than ``silent_after_s``; lag is the age of the newest report. Who
    has had a glance at all that are alive gives it as ``seen``, and they are not read again.
    """
    now = now or timezone.now()
    settings = get_settings()
    alive = glance() if seen is None else seen
    silent_before = now - timedelta(seconds=settings.silent_after_s)
    newest = max((process.last_seen_at for process in alive), default=None)
    return {
        "services": Service.objects.count(),
        "processes": Process.objects.count(),
        "processes_alive": len(alive),
        "processes_silent": sum(process.last_seen_at < silent_before for process in alive),
        "processes_growing": sum(process.growing_since is not None for process in alive),
        "processes_not_known": sum(not process.leaks_known for process in alive if not process.outside),
        "reports": counters.total(counters.REPORTS),
        "reports_rejected": counters.total(counters.REJECTED),
        "rejected_by_reason": {labels.get("reason", ""): n for labels, n in counters.totals(counters.REJECTED)},
        "snapshots_stored": counters.total(counters.SNAPSHOTS),
        "snapshots_duplicate": counters.total(counters.DUPLICATES),
        "snapshots_dropped": counters.total(counters.DROPPED),
        "sampling_failures": counters.total(counters.FAILURES),
        "commands_refused": counters.total(counters.REFUSED),
        "open_leaks": _leaks_by_severity(),
        "expected_growth": _expected_growth(now),
        "alerts_raised": Alert.objects.raised().count(),
        "snapshot_interval_s": settings.snapshot_interval,
        "last_report_at": newest.isoformat() if newest else None,
        "lag_s": max(0.0, (now - newest).total_seconds()) if newest else None,
        "transport": _transport(settings.transport_url),
        "cost": _cost(alive),
    }


def transport_state() -> HubState:
    """The state of the way from the agents; raises :class:`TransportUnavailable`."""
    settings = get_settings()
    if settings.hub_transport == HUB_BY_WORKER:
        raise TransportUnavailable("HUB_TRANSPORT is worker: this process may not look at it")
    hub = open_hub(settings.hub_url)
    try:
        return hub.state()
    finally:
        hub.close()


def _leaks_by_severity() -> dict[str, int]:
    rows = Leak.objects.active().order_by().values_list("severity").annotate(Count("pk"))
    found: dict[str, int] = {str(severity): count for severity, count in rows}
    return {value: found.get(value, 0) for value in Severity.values}


def _expected_growth(now: datetime) -> dict[str, Any]:
    """What operators expect, and how much of it there was."""
    in_force = Q(expires_at=None) | Q(expires_at__gt=now)
    found = ExpectedGrowth.objects.aggregate(
        rules=Count("pk"), held=Sum("matches"), verdicts=Sum("suppressed_verdicts"), last=Max("last_matched_at"),
        active=Count("pk", filter=in_force),
    )  # fmt: skip
    return {
        "rules": found["rules"],
        "rules_in_force": found["active"],
        "leaks_held_back": found["held"] or 0,
        "verdicts_suppressed": found["verdicts"] or 0,
        "last_at": found["last"].isoformat() if found["last"] else None,
    }


def _transport(url: str) -> dict[str, Any]:
    try:
        state = transport_state()
    except TransportUnavailable as error:
        return {"kind": url.split(":", 1)[0], "available": False, "problem": str(error)}
    return {
        "kind": url.split(":", 1)[0],
        "available": True,
        "backlog": state.backlog,
        "oldest_s": state.oldest_s,
        "lost": state.lost,
        "used_bytes": state.used_bytes,
        "limit_bytes": state.limit_bytes,
    }


def _cost(alive: Sequence[Glance]) -> dict[str, float | None]:
    """What watching costs, over the last snapshots of the processes that are alive."""
    pauses = [process.census_pause_us for process in alive if process.census_pause_us is not None]
    cpu = [process.snapshot_cpu_us for process in alive if process.snapshot_cpu_us is not None]
    return {
        "census_pause_ms_mean": _ms(fmean(pauses) if pauses else None),
        "census_pause_ms_max": _ms(max(pauses, default=None)),
        "snapshot_cpu_ms_mean": _ms(fmean(cpu) if cpu else None),
        "snapshot_cpu_ms_max": _ms(max(cpu, default=None)),
    }


def _ms(microseconds: float | None) -> float | None:
    return None if microseconds is None else round(microseconds / 1000, 3)
