"""The distributions that processes report, stored once for all processes of a service that have the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from memwatch.models import Installation, Process
from memwatch.records.distributions import Distribution

Reported = Sequence[Distribution]


def digest_of(reported: Reported) -> str:
    """Equal for equal names and versions, in whatever order."""
    pairs = sorted({each.name: each.version for each in reported}.items())
    return hashlib.sha256(json.dumps(pairs, separators=(",", ":")).encode()).hexdigest()


def assign(found: Sequence[tuple[Process, Reported]], now: datetime) -> None:
    """Give each process its installation; the processes are not saved. Call it in the transaction that saves them."""
    if not found:
        return
    keys = [(process.service_id, digest_of(reported)) for process, reported in found]
    new = {
        key: Installation(
            service_id=key[0],
            digest=key[1],
            versions={each.name: each.version for each in sorted(reported)},
            first_seen_at=now,
        )
        for key, (_process, reported) in zip(keys, found, strict=True)
    }
    same = Installation.objects.filter(service__in={key[0] for key in keys}, digest__in={key[1] for key in keys})
    known = set(same.values_list("service_id", "digest"))
    Installation.objects.bulk_create([new[key] for key in sorted(new.keys() - known)], ignore_conflicts=True)
    # Locked: none goes as unused before its process points at it, and no writer loses what another has added.
    rows = {(row.service_id, row.digest): row for row in same.select_for_update().order_by("pk")}
    learnt: dict[int, Installation] = {}
    for key, (process, reported) in zip(keys, found, strict=True):
        row = rows[key]
        process.installation = row
        imported = sorted({*row.imported, *(each.name for each in reported if each.imported)})
        if imported != row.imported:
            row.imported, learnt[row.pk] = imported, row
    Installation.objects.bulk_update(list(learnt.values()), ["imported"])
