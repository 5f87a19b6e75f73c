"""One site with one leak, from its start to its end: what came of it as a dict for JSON."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.sites import scoring
from benchmarks.sites.deployment import Deployment
from benchmarks.sites.load import Load, longest_ms
from benchmarks.sites.truth import LEAKS, UNWATCHED
from benchmarks.sites.watching import Recorded, Watch, find_the_cause

PER_SECOND = 4.0
WARM_INTERVALS = 6
"""Before the leak begins: the baseline has been taken, every page has been asked for."""
AFTER_NAMED = 2
"""Intervals that are looked at after the leak has its name, for what else is said."""


def run(
    site: str, deployment: Deployment, name: str, *, minutes: float, per_second: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """``minutes`` are those from the leak's beginning, unless it is named and recorded before."""
    interval_s, planted = deployment.interval_s, LEAKS.get(name)
    deployment.start(watched=name != UNWATCHED)
    load = Load(deployment.get_page, deployment.recipe.pages, per_second)
    watch = Watch(deployment, planted)
    try:
        began = _warm_up(deployment, watch, load)
        objects = _objects(deployment)
        say(f"{site} {name}: warm, {_said(objects)}; the leak begins")
        before = deployment.web_workers()
        if planted:
            deployment.switch.write_text(name)
        start = time.monotonic()
        _look_on(watch, planted is not None, start + minutes * 60, interval_s, say)
        right = watch.right()
        recorded = None
        leak = watch.leak_to_record() if planted else None
        if leak is not None:
            say(f"{site} {name}: leak {leak} is recorded")
            recorded = find_the_cause(deployment, leak)
            watch.look()
        after, end = deployment.web_workers(), time.monotonic()
        requests = load.stop()
    finally:
        load.stop()
        deployment.stop()
    ran = [each for each in requests if each.at >= start]
    told = list(watch.told.values())
    service = planted.service if planted else None
    cpu_s = sum(after[pid][0] - before[pid][0] for pid in after if pid in before)
    found: dict[str, Any] = {
        "site": site, "leak": name, "interval_s": interval_s, "per_second": per_second,
        "warm_s": round(start - began, 1), "seconds": round(end - start, 1), "objects": objects, "requests": len(ran),
        "not_answered": sum(each.status == 0 or each.status >= 500 for each in ran),
        "median_ms": round(statistics.median(each.took_s for each in ran) * 1e3, 1) if ran else None,
        "worker_cpu_percent": round(100 * cpu_s / (end - start) / max(1, len(after)), 2),
        "worker_cpu_ms_per_request": round(1e3 * cpu_s / max(1, len(ran)), 2),
        "worker_rss_mb": round(max((rss for _cpu, rss in after.values()), default=0), 1),
        "workers_replaced": sorted(set(before) - set(after)),
        "false_verdicts": [_short(row) for row in scoring.false_verdicts(told, service, start)],
        "answers_missing": watch.failures,
        "told": [{"source": each.source, "after": _intervals(each.at, start, interval_s), **_short(each.row)}
                 for each in sorted(told, key=lambda each: each.at)],
    }  # fmt: skip
    if planted:
        growth = scoring.first_growth(told, planted.service, start)
        found |= {
            "growth_after": _intervals(growth, start, interval_s),
            "named_after": _intervals(right.named_at if right else None, start, interval_s),
            "besides": [_short(row) for row in scoring.besides(told, planted, start)],
            "recording": _recording(recorded, ran, start),
        }  # fmt: skip
        if recorded is not None:
            found |= dataclasses.asdict(scoring.judge(planted, recorded.conclusion))
    return found


def _warm_up(deployment: Deployment, watch: Watch, load: Load) -> float:
    began = time.monotonic()
    until = began + WARM_INTERVALS * deployment.interval_s
    fewest = 4 * len(deployment.recipe.pages)
    while time.monotonic() < until or len(load.done) < fewest:
        time.sleep(min(10.0, deployment.interval_s / 2))
        watch.look()
    return began


def _look_on(watch: Watch, leaks: bool, until: float, interval_s: float, say: Callable[[str], None]) -> None:
    said = time.monotonic()
    while time.monotonic() < until:
        time.sleep(min(10.0, interval_s / 2))
        watch.look()
        right = watch.right()
        if leaks and right and right.named_at and time.monotonic() > right.named_at + AFTER_NAMED * interval_s:
            return
        if time.monotonic() > said + 60:
            said = time.monotonic()
            say(f"   {until - said:.0f} s left, {len(watch.told)} findings")


def _objects(deployment: Deployment) -> dict[str, Any]:
    """Objects and RSS of the web's workers, as their last snapshots have them."""
    rows = [row for row in deployment.rows("processes/?service=web") if row.get("last_snapshot")]
    snapshots = [row["last_snapshot"] for row in rows]
    return {
        "objects": max((each.get("total_objects") or 0 for each in snapshots), default=None),
        "rss_mb": max((each.get("rss_mb") or 0 for each in snapshots), default=None),
    }


def _said(objects: dict[str, Any]) -> str:
    return ", ".join(f"{value} {name}" for name, value in objects.items())


def _intervals(at: float | None, start: float, interval_s: float) -> float | None:
    return None if at is None else round((at - start) / interval_s, 1)


def _recording(recorded: Recorded | None, ran: list[Any], start: float) -> dict[str, Any] | None:
    if recorded is None:
        return None
    during = longest_ms(ran, recorded.start, recorded.end)
    without = longest_ms(ran, start, recorded.start)
    return {
        "refused": recorded.refused, "seconds": round(recorded.end - recorded.start, 1),
        "conclusion": recorded.conclusion, "longest_ms": during, "longest_without_ms": without,
        "held_ms": None if during is None or without is None else round(during - without, 1),
        "recordings": [
            {key: row.get(key) for key in ("id", "kind", "state", "error", "measured", "options")}
            for row in recorded.recordings
        ],
    }  # fmt: skip


def _short(row: Any) -> dict[str, Any]:
    wanted = ("id", "service", "slot", "kind", "object_type", "state", "severity", "confidence", "verdict", "evidence",
              "type", "message", "growth_count", "growth_percent", "growing_since", "growth_mb_per_hour")  # fmt: skip
    return {key: row[key] for key in wanted if row.get(key) is not None}
