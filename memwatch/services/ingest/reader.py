"""From the transport into rows: nothing lost, nothing twice, and no report stops the others.

A report is acknowledged only after its commit. Killed before that, it is delivered again, and every step recognises
what is there already.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.utils import timezone

from memwatch.conf import get_settings
from memwatch.models import RejectedReport, connection
from memwatch.queries.deployment.counters import REJECTED, label_text
from memwatch.services import command_relay, counters
from memwatch.services.ingest.writer import store
from memwatch.services.locking import writing
from memwatch.transport import Delivery, Hub
from memwatch.transport.wire import Report, WireError

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


READ_AT_ONCE = 200
SNAPSHOTS_AT_ONCE = 200
"""In one transaction: short, so that a page that writes does not wait long on SQLite."""
BYTES_AT_ONCE = 16 * 1024 * 1024
"""Most bytes of reports decoded together."""
UNSTORABLE = "unstorable"
"""Reason for a report that is well-formed and still cannot be stored."""
_ATTEMPTS = 3
_OF_THE_WORKER = ("billiard", "celery")
"""What a worker is interrupted with: a time limit that is over, a task that is revoked."""
_TRANSACTION_STATE = "25"
"""PostgreSQL's class of errors of a server that has become read-only, as providers make one whose disk is full."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class IngestResult:
    """What an ingest did."""

    reports: int = 0
    """Taken: stored, or known already."""
    snapshots: int = 0
    """New rows."""
    duplicates: int = 0
    """Snapshots that were stored before."""
    rejected: int = 0
    """Reports set aside."""

    def __add__(self, other: IngestResult) -> IngestResult:
        return IngestResult(
            reports=self.reports + other.reports,
            snapshots=self.snapshots + other.snapshots,
            duplicates=self.duplicates + other.duplicates,
            rejected=self.rejected + other.rejected,
        )


def ingest_reports(
    *,
    hub: Hub | None = None,
    limit: int = 500,
    now: datetime | None = None,
    leaving: Callable[[], bool] = lambda: False,
) -> IngestResult:
    """Store what has arrived, ``limit`` reports at most; once ``leaving`` says so, only what was read already.

    Raises :class:`TransportUnavailable` or Django's ``OperationalError`` where either side is away: what was stored by
    then is acknowledged, the rest is delivered again.
    """
    own = hub is None
    hub = hub or command_relay.open_own()
    try:
        result = IngestResult()
        taken = 0
        while taken < limit and not leaving():
            deliveries = hub.read(limit=min(READ_AT_ONCE, limit - taken))
            if not deliveries:
                break
            taken += len(deliveries)
            for some in _of_bounded_size(deliveries):
                for done, part in _take(some, now or timezone.now()):
                    hub.acknowledge(done)
                    result += part
        return result
    finally:
        if own:
            hub.close()


def take(payloads: Sequence[bytes], *, now: datetime | None = None) -> IngestResult:
    """Store reports that came another way (as answers); they may arrive through the transport as well."""
    deliveries = [Delivery(id="", payload=payload) for payload in payloads]
    return sum((part for _done, part in _take(deliveries, now or timezone.now())), IngestResult())


def _of_bounded_size(deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """Reports that are decoded together: a large one takes four times its size then."""
    some: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        if some and size + len(delivery.payload) > BYTES_AT_ONCE:
            yield some
            some, size = [], 0
        some.append(delivery)
        size += len(delivery.payload)
    yield some


def _take(deliveries: Sequence[Delivery], now: datetime) -> Iterator[tuple[list[Delivery], IngestResult]]:
    """Store in short transactions; after each, what may be acknowledged."""
    good: list[tuple[Delivery, Report]] = []
    bad: list[tuple[Delivery, Reject]] = []
    for delivery in deliveries:
        try:
            good.append((delivery, Report.decode(delivery.payload)))
        except WireError as error:
            bad.append((delivery, _reject(delivery, error.reason, str(error))))
    if bad:
        rejected = set_aside([reject for _delivery, reject in bad], now)
        yield [delivery for delivery, _reject in bad], IngestResult(rejected=rejected)
    # Who leaves comes first, so that after a restart the slots are free for those who follow.
    leaving = {report.process.key for _delivery, report in good if report.goodbye}
    departures = [item for item in good if item[1].process.key in leaving]
    others = [item for item in good if item[1].process.key not in leaving]
    for chunk in (*_chunks(departures), *_chunks(others)):
        yield [delivery for delivery, _report in chunk], _store_or_split(chunk, now)


def _chunks(items: Sequence[tuple[Delivery, Report]]) -> Iterator[list[tuple[Delivery, Report]]]:
    chunk: list[tuple[Delivery, Report]] = []
    size = 0
    for delivery, report in items:
        if chunk and size + len(report.snapshots) > SNAPSHOTS_AT_ONCE:
            yield chunk
            chunk, size = [], 0
        chunk.append((delivery, report))
        size += len(report.snapshots)
    if chunk:
        yield chunk


def _store_or_split(chunk: Sequence[tuple[Delivery, Report]], now: datetime) -> IngestResult:
    """Store them together; where one of them cannot be stored, each alone, and that one is set aside."""
    try:
        return _store([report for _delivery, report in chunk], now)
    except Exception as error:
        if _is_no_reports_fault(error):
            raise
        if len(chunk) > 1:
            return sum((_store_or_split([item], now) for item in chunk), IngestResult())
        ((delivery, report),) = chunk
        log.exception("memwatch: a report of %s cannot be stored", report.process.key[:200])
        detail = f"{type(error).__name__}: {error}"
        return IngestResult(rejected=set_aside([_reject(delivery, UNSTORABLE, detail)], now))


def _is_no_reports_fault(error: Exception) -> bool:
    """Whether none can be stored now, so that they have to wait: the database is away or read-only or without its
    tables, there is no memory, the worker has run out of time.
    """
    if isinstance(error, OperationalError | InterfaceError | MemoryError):
        return True
    if type(error).__module__.partition(".")[0] in _OF_THE_WORKER:
        return True
    if str(getattr(error.__cause__, "sqlstate", None) or "").startswith(_TRANSACTION_STATE):
        return True
    return isinstance(error, ProgrammingError) and connection.obstacle() is not None


def _store(reports: Sequence[Report], now: datetime) -> IngestResult:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            stored = store(reports, now=now, interval_s=get_settings().snapshot_interval)
        except (OperationalError, IntegrityError) as error:
            # A row that this one refers to may have been pruned since it was looked up: it is drawn again.
            passing = isinstance(error, IntegrityError) or "deadlock" in str(error).lower()
            if not passing or attempt == _ATTEMPTS:
                raise
        else:
            return IngestResult(reports=len(reports), snapshots=stored.snapshots, duplicates=stored.duplicates)
    raise AssertionError("unreachable")


def _reject(delivery: Delivery, reason: str, detail: str) -> Reject:
    return Reject(delivery=delivery.id, payload=delivery.payload, reason=reason, detail=detail)
