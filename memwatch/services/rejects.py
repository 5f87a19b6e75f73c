"""Reports that could not be taken: counted, logged, and the last thousand kept for a look."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections import Counter as Tally
from collections.abc import Sequence
from datetime import datetime

from memwatch.models import RejectedReport
from memwatch.queries.counters import REJECTED, label_text
from memwatch.services import counters
from memwatch.services.transactions import writing

log = logging.getLogger("memwatch")

KEPT = 1_000
EXCERPT = 500


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """One report and why it was refused."""

    delivery: str
    """The delivery's id: the same when it is delivered again."""
    payload: bytes
    reason: str
    """A short stable word, for the counter."""
    detail: str


def set_aside(rejects: Sequence[Reject], now: datetime) -> int:
    """Store them; how many were not there yet. The eldest beyond the last 1,000 are removed."""
    rows = {_fingerprint(reject): reject for reject in rejects}
    if not rows:
        return 0
    with writing():
        known = set(RejectedReport.objects.filter(fingerprint__in=list(rows)).values_list("fingerprint", flat=True))
        fresh = {key: reject for key, reject in rows.items() if key not in known}
        RejectedReport.objects.bulk_create(
            [
                RejectedReport(
                    received_at=now,
                    reason=reject.reason[:20],
                    detail=_storable(reject.detail)[:1000],
                    size=len(reject.payload),
                    excerpt=_storable(reject.payload[:EXCERPT].decode("utf-8", "backslashreplace")),
                    fingerprint=key,
                )
                for key, reject in fresh.items()
            ],
            ignore_conflicts=True,
        )
        reasons = Tally(reject.reason for reject in fresh.values())
        counters.add_many({(REJECTED, label_text(reason=reason)): n for reason, n in reasons.items()})
        surplus = RejectedReport.objects.order_by("-pk").values_list("pk", flat=True)[KEPT : KEPT + 1].first()
        if surplus is not None:
            RejectedReport.objects.filter(pk__lte=surplus).delete()
    for reason, n in reasons.items():
        detail = next(reject.detail for reject in fresh.values() if reject.reason == reason)
        log.warning("memwatch: %d report(s) set aside as %s: %s", n, reason, _storable(detail)[:300])
    return len(fresh)


def _fingerprint(reject: Reject) -> str:
    return hashlib.sha256(reject.delivery.encode("utf-8", "backslashreplace") + b"\0" + reject.payload).hexdigest()


def _storable(text: str) -> str:
    """Without what PostgreSQL or a log line refuses: NUL, lone surrogates, control characters."""
    clean = text.encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in clean)
