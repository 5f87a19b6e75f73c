"""Events of the database as OTLP's log records, each sent until it has arrived."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from memwatch.metrics.otlp.instruments import SCHEMA_URL
from memwatch.metrics.otlp.outlet import Outlet
from memwatch.metrics.otlp.points import SCOPE, nanoseconds
from memwatch.metrics.otlp.resources import process_attributes
from memwatch.models import Process
from memwatch.observation import Observed
from memwatch.queries.deployment.event_log import SOURCES, LoggedEvent, Source
from memwatch.services import event_cursors
from memwatch.services.locking import alone
from memwatch.services.notifications import page_url

AT_ONCE = 500
MOST_REQUESTS = 20
"""Of one kind, in one run."""
MOST_PROBES = 24
"""Parts that are halved in one run to find the events which the back end refuses: enough for two among 500."""
LEASE, LEASE_S = "memwatch.send_otlp_events", 300.0

logger = logging.getLogger(__name__)

SEVERITIES = {
    "info": SeverityNumber.INFO,
    "low": SeverityNumber.INFO2,
    "medium": SeverityNumber.WARN,
    "high": SeverityNumber.ERROR,
    "critical": SeverityNumber.ERROR2,
}
_Records = list[ReadableLogRecord]


def send_events(outlet: Outlet[_Records], now: datetime, *, sources: Sequence[Source] = SOURCES) -> None:
    """Send what has happened, the oldest first, until the back end is away. Nothing where another exporter is at it."""
    with alone(LEASE, LEASE_S) as ours:
        if ours:
            for source in sources:
                if not _send(source, outlet, now):
                    return


def _send(source: Source, outlet: Outlet[_Records], now: datetime) -> bool:
    """Whether the back end is there for the other sources. What has arrived or was dropped is not sent again."""
    stands = event_cursors.position(source.name, now)
    for _request in range(MOST_REQUESTS):
        most = AT_ONCE + len(stands.sent)
        found = source.read(stands.since(now), now, most)
        new = [(at, event) for at, event in found if event.id not in stands.sent][:AT_ONCE]
        settled = _settled(outlet, [record(event, now) for _at, event in new]) if new else ()
        all_settled = len(settled) == len(new)
        whole = len(found) < most and len(new) < AT_ONCE
        until = stands.at if not all_settled else now if whole else max(stands.at, min(new[-1][0], now))
        before, stands = stands, stands.moved(until, {new[i][1].id: new[i][0].timestamp() for i in settled})
        event_cursors.save(stands, before)
        if whole or not all_settled:
            return all_settled or outlet.refused
    return True


def _settled(outlet: Outlet[_Records], records: _Records) -> Collection[int]:
    """The places of those that have arrived, and of those that are dropped.

    An event that the back end refuses for good while it takes others is dropped. Where it refuses all, something else
    is wrong with it, and all wait.
    """
    everything = range(len(records))
    if outlet.send(records, len(records)):
        return everything
    arrived: list[int] = []
    refused: list[int] = []
    waiting = [everything] if outlet.refused else []
    for _probe in range(MOST_PROBES):
        if not waiting or (len(refused) > 1 and not arrived):
            break
        part = waiting.pop()
        if len(part) == 1:
            refused += part
            continue
        for half in (part[len(part) // 2 :], part[: len(part) // 2]):
            if outlet.send([records[i] for i in half], len(half), probe=True):
                arrived += half
            elif outlet.refused:
                waiting.append(half)
            else:  # away now: what is left is sent as a whole next time
                return arrived
    if not arrived:
        return ()
    outlet.refused = True
    outlet.drop(len(refused))
    for i in refused:
        text = records[i].log_record.body
        logger.warning("OTLP logs: %s refuses an event for good, which is dropped: %s", outlet.endpoint, text)
    return [*arrived, *refused]


def record(event: LoggedEvent, now: datetime, *, url: Callable[[str, int], str | None] = page_url) -> ReadableLogRecord:
    """One event as a log record, under the resource of its process or service."""
    attributes = {
        "memwatch.event.id": event.id,
        "memwatch.url": url(*event.page),
        **event.attributes,
    }
    return ReadableLogRecord(
        LogRecord(
            timestamp=nanoseconds(event.at),
            observed_timestamp=nanoseconds(now),
            context=_context(event),
            severity_text=event.severity.upper(),
            severity_number=SEVERITIES[event.severity],
            body=event.text,
            attributes={name: value for name, value in attributes.items() if value is not None},
            event_name=event.name,
        ),
        Resource(_resource(event), SCHEMA_URL),
        SCOPE,
    )


def _context(event: LoggedEvent) -> Context:
    """That of the job; an empty one otherwise, and never the one of this process."""
    if not event.trace_id:
        return Context()
    span = SpanContext(int(event.trace_id, 16), int(event.span_id, 16), is_remote=True)
    return set_span_in_context(NonRecordingSpan(span), Context())


def _resource(event: LoggedEvent) -> dict[str, str | int]:
    if event.process is None:
        return {"service.name": event.service}
    return process_attributes(_observed(event.process))


def _observed(row: Process) -> Observed:
    return Observed(
        labels={"service": row.service.name, "host": row.host, "slot": row.slot},
        started_at=row.started_at,
        release=row.release.name if row.release is not None else "",
        python=row.python,
        pid=row.pid,
        instance=row.key,
        resource=row.resource if isinstance(row.resource, dict) else {},
    )
