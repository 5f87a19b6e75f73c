"""What memwatch says while a leak runs, as the API has it: asked again and again, each first time is kept."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from benchmarks.sites.deployment import Deployment
from benchmarks.sites.scoring import Told, is_named
from benchmarks.sites.truth import Planted

ENDED = ("done", "failed", "cancelled")
RECORDED_WITHIN_S = 240.0
BUSY_S, BUSY_PAUSE_S = 60.0, 2.0
"""How long memwatch may be busy with a recording of its own before ours, and between two tries."""
CONFLICT = 409
GROWTH_ALERTS = ("growth_rate", "heap_warning", "heap_critical", "container_warning", "container_critical",
                 "baseline_drift")  # fmt: skip


class Watch:
    """Of one run. Times are seconds of the monotonic clock."""

    def __init__(self, deployment: Deployment, planted: Planted | None) -> None:
        self._deployment, self._planted = deployment, planted
        self.told: dict[tuple[str, int], Told] = {}
        self.failures = 0

    def look(self) -> None:
        """Ask once."""
        now = time.monotonic()
        answers = {name: self._deployment.get(f"{name}/?page_size=1000") for name in ("leaks", "alerts", "processes")}
        for name, answer in answers.items():
            if not isinstance(answer, dict):
                self.failures += 1
                continue
            for row in answer["results"]:
                if name == "processes" and not row.get("growing_since"):
                    continue
                self._see(name, row, now)

    def _see(self, name: str, row: dict[str, Any], now: float) -> None:
        key = (name, int(row["id"]))
        before = self.told.get(key)
        names = {} if before is None else dict(before.names)
        if name == "leaks":
            names.setdefault(f"{row['kind']} {row['object_type']}", now)
        self.told[key] = Told(
            source=name, at=now if before is None else before.at, row=row, names=names,
            named_at=before.named_at if before and before.named_at else self._named_at(name, row, now),
        )  # fmt: skip

    def _named_at(self, name: str, row: dict[str, Any], now: float) -> float | None:
        return now if name == "leaks" and self._planted and is_named(self._planted, row) else None

    def right(self) -> Told | None:
        """The first leak with the right name, if there is one."""
        named = [each for each in self.told.values() if each.named_at is not None]
        return min(named, key=lambda each: each.named_at or 0.0, default=None)

    def leak_to_record(self) -> int | None:
        """The right one; else that which an operator would ask about: the worst open one of the service."""
        right = self.right()
        if right is not None:
            return int(right.row["id"])
        severities = ("low", "medium", "high", "critical")
        rows = [
            each.row for each in self.told.values()
            if each.source == "leaks" and each.row["state"] == "open" and self._planted is not None
            and each.row["service"] == self._planted.service
        ]  # fmt: skip
        rows.sort(key=lambda row: (severities.index(row["severity"]), row["growth_percent"]))
        return int(rows[-1]["id"]) if rows else None


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """*Find the cause* of a leak, and what followed it."""

    start: float
    end: float
    refused: str
    recordings: list[dict[str, Any]]

    @property
    def conclusion(self) -> dict[str, Any]:
        """Of the group: that of its last."""
        return dict(self.recordings[-1].get("conclusion") or {}) if self.recordings else {}


def find_the_cause(deployment: Deployment, leak: int) -> Recorded:
    """Ask for it, and wait until it and what follows it are over."""
    start = time.monotonic()
    status, answer = _ask_for_it(deployment, leak, start + BUSY_S)
    if status != 202:
        return Recorded(start, time.monotonic(), f"{status}: {answer}"[:500], [])
    group = [int(answer["id"])]
    found: dict[int, dict[str, Any]] = {}
    deadline = time.monotonic() + RECORDED_WITHIN_S
    while time.monotonic() < deadline:
        for key in group:
            row = deployment.get(f"recordings/{key}/")
            if isinstance(row, dict):
                found[key] = row
        group += [key for row in list(found.values()) for key in row.get("followed_by", []) if key not in group]
        if len(found) == len(group) and all(row["state"] in ENDED for row in found.values()):
            break
        time.sleep(0.5)
    return Recorded(start, time.monotonic(), "", [found[key] for key in group if key in found])


def _ask_for_it(deployment: Deployment, leak: int, until: float) -> tuple[int, Any]:
    """Again for as long as the process is being recorded, as a trigger of memwatch's own may do just now."""
    while True:
        status, answer = deployment.post("recordings/", {"leak": leak})
        if status != CONFLICT or time.monotonic() >= until:
            return status, answer
        time.sleep(BUSY_PAUSE_S)
