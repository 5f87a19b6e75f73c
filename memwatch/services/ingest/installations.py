"""What processes report of their distributions and packages, stored once for all of a release that have the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from memwatch.models import Installation, Process
from memwatch.records.distributions import OTHERS, Distribution, Inventory, Package

Packages = dict[str, list[Any]]
"""By name the distribution, and the modules of all processes together."""
MOST_PACKAGES = 1_000
"""Of one row: processes may import different ones."""


def digest_of(reported: Sequence[Distribution], release: int | None = None) -> str:
    """Equal for equal names and versions of a release, in whatever order."""
    pairs = sorted({each.name: each.version for each in reported}.items())
    value: object = pairs if release is None else [release, pairs]
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


def assign(found: Sequence[tuple[Process, Inventory]], now: datetime) -> None:
    """Give each process its installation; the processes are not saved. Call it in the transaction that saves them."""
    if not found:
        return
    keys = [(process.service_id, digest_of(had.distributions, process.release_id)) for process, had in found]
    new = {
        key: Installation(
            service_id=key[0],
            digest=key[1],
            versions={each.name: each.version for each in sorted(had.distributions)},
            first_seen_at=now,
        )
        for key, (_process, had) in zip(keys, found, strict=True)
    }
    same = Installation.objects.filter(service__in={key[0] for key in keys}, digest__in={key[1] for key in keys})
    known = set(same.values_list("service_id", "digest"))
    Installation.objects.bulk_create([new[key] for key in sorted(new.keys() - known)], ignore_conflicts=True)
    # Locked: none goes as unused before its process points at it, and no writer loses what another has added.
    rows = {(row.service_id, row.digest): row for row in same.select_for_update().order_by("pk")}
    learnt: dict[int, Installation] = {}
    for key, (process, had) in zip(keys, found, strict=True):
        row = rows[key]
        is_first, process.installation = process.installation_id is None, row
        imported = sorted({*row.imported, *(each.name for each in had.distributions if each.imported)})
        if imported != row.imported:
            row.imported, learnt[row.pk] = imported, row
        if had.packages and is_first:  # a report may arrive twice
            _add(row.packages, had.packages)
            row.reports += 1
            learnt[row.pk] = row
    Installation.objects.bulk_update(list(learnt.values()), ["imported", "packages", "reports"])


def _add(known: Packages, more: Sequence[Package]) -> None:
    """Another process has these."""
    for each in more:
        name = each.name if each.name in known or len(known) < MOST_PACKAGES else OTHERS
        before = known.get(name, ["", 0])
        known[name] = [each.distribution if name == each.name else "", before[1] + each.modules]
