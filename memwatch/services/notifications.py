"""The outbox: messages are written in the transaction of their event, and sent by a task until they arrive.

A message is delivered at least once: a worker that is killed between sending and noting it sends it again, under the
same id. Messages of one episode reach a channel in their order; a channel that fails or hangs holds up no other.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import random
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from memwatch import formatting
from memwatch.alerts import channels
from memwatch.alerts.delivery import Limits, Outcome, Parcel, deliver
from memwatch.alerts.inputs import episode_of
from memwatch.alerts.messages import UNITS
from memwatch.alerts.process_deaths import FRESH_S
from memwatch.conf import Settings, get_settings
from memwatch.models import Alert, Leak, Notification
from memwatch.queries.deployment.counters import ATTEMPTS_FAILED, NOTIFICATIONS_FAILED, NOTIFICATIONS_SENT
from memwatch.services import ActionRefused, audit, counters
from memwatch.services.locking import writing
from memwatch.services.recordings import pushing

logger = logging.getLogger(__name__)

FIRST_RETRY_S, LONGEST_RETRY_S = 15.0, 1800.0
GIVE_UP_AFTER = timedelta(days=1)
"""What could not be delivered for so long is no news any more."""
AT_ONCE = 200
"""Messages a channel is given in one run."""

_State, _Event = Notification.State, Notification.Event


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SendResult:
    """What a run did, in messages."""

    sent: int = 0
    failed: int = 0
    """Attempts that failed and will be repeated."""
    given_up: int = 0


def write(alert: Alert, event: str, now: datetime) -> None:
    """Put a message for every channel into the outbox. Call it in the transaction that changes the alert."""
    message = message_of(alert, event, now)
    put(message, now, alert=alert, event=event, episode=episode_of(alert.type, alert.subject))


def put(message: Mapping[str, Any], now: datetime, **values: Any) -> None:
    """Store a message without an id for every channel, each with an id of its own; ``values``: fields of its rows."""
    rows = []
    for name in channels.configured(get_settings()):
        key = uuid.uuid4()
        payload = {"id": str(key), **message}
        rows.append(Notification(key=key, channel=name, payload=payload, created_at=now, next_attempt_at=now, **values))
    Notification.objects.bulk_create(rows, ignore_conflicts=True)


def message_of(alert: Alert, event: str, now: datetime) -> dict[str, Any]:
    """The message, as :mod:`memwatch.alerts.messages` describes it, without the id."""
    over = event == _Event.CLEARED
    lasted = (now - alert.began_at).total_seconds()
    return {
        "type": alert.type,
        "severity": alert.severity,
        "message": alert.message,
        "timestamp": now.astimezone(UTC).isoformat(),
        "value": alert.value,
        "threshold": alert.threshold,
        "unit": UNITS.get(alert.type, ""),
        "event": str(event),
        "state": "cleared" if over else "raised",
        "began_at": alert.began_at.astimezone(UTC).isoformat(),
        "duration_s": lasted if over else None,
        "worst_value": alert.worst_value if over else None,
        "summary": _summary(alert, lasted) if over else None,
        "service": alert.service.name,
        "host": alert.process.host if alert.process else None,
        "slot": alert.process.slot if alert.process else None,
        "processes": alert.processes,
        "object_type": alert.leak.object_type if alert.leak else None,
        "url": _url(alert),
    }


def _url(alert: Alert) -> str | None:
    """Where there is most to see: the page of its leak or release, else its own."""
    if alert.leak_id is not None:
        return page_url("leak", alert.leak_id)
    if alert.release_id is not None:
        return page_url("release", alert.release_id)
    return page_url("alert", alert.pk)


def _summary(alert: Alert, lasted_s: float) -> str:
    """How the episode went, in a sentence or two."""
    place = f"{alert.process.slot} on {alert.process.host}" if alert.process else f"service {alert.service.name}"
    what = alert.get_type_display()
    said = f"{place}: {what} is over after {formatting.duration(lasted_s)}"
    if alert.leak is not None:
        said = f"{place}: the leak of {alert.leak.what} is over after {formatting.duration(lasted_s)}"
        return f"{said}: {_why_over(alert.leak)}."
    if alert.type == Alert.Type.RELEASE_CHANGE:
        return f"service {alert.service.name}: the change of the release is no news any more, or it runs no longer."
    if alert.type == Alert.Type.PROCESS_KILLED:
        quiet = formatting.duration(FRESH_S)
        return f"service {alert.service.name}: no process was killed and none crashed for {quiet}."
    if alert.process is not None and alert.process.ended_at is not None:
        said += f", because the process ended ({alert.process.get_end_reason_display() or 'unknown how'})"
    if alert.worst_value is not None:
        unit = UNITS.get(alert.type, "")
        said += f". At its worst it was {alert.worst_value:,.4g} {unit}".rstrip()
        if alert.threshold is not None:
            said += f", threshold {alert.threshold:,g}"
    return f"{said}."


def _why_over(leak: Leak) -> str:
    last = leak.events.select_related("by").order_by("-at", "-id").first()
    state = str(leak.get_state_display())
    if last is None:
        return state
    by = f" by {last.by}" if last.by is not None else ""
    return f"{state}{by}" + (f", {last.comment.rstrip('.')}" if last.comment else "")


def page_url(page: str, pk: int) -> str | None:
    """The address of a row's page in the admin; ``None`` where there is no admin."""
    try:
        return f"{get_settings().site_url}{reverse(f'admin:memwatch_{page}_change', args=(pk,))}"
    except NoReverseMatch:
        return None


def outlets(settings: Settings) -> dict[str, channels.Channel]:
    """Where the outbox is sent to, by name: the channels of messages, and the server for profiles."""
    profiles = pushing.channel(settings)
    return {**channels.configured(settings), **({} if profiles is None else {profiles.name: profiles})}


def _setting(row: Notification) -> str:
    return "ALERT_CHANNELS" if row.recording_id is None else "PROFILES_URL"


def send(now: datetime | None = None) -> SendResult:
    """Deliver what is due. Only one may run at a time: else a message goes out twice."""
    now, settings = now or timezone.now(), get_settings()
    known = outlets(settings)
    given_up = _give_up(now, known)
    due = _due(now, known)
    sent = failed = 0
    parcels = {name: [Parcel(row.pk, row.payload) for row in rows] for name, rows in due.items()}
    rows = {row.pk: row for found in due.values() for row in found}
    profiles = {name: parcels.pop(name) for name in tuple(parcels) if isinstance(known[name], pushing.ProfileChannel)}
    for outcome in itertools.chain(
        deliver(parcels, known, limits=Limits(call_s=settings.channel_timeout)),
        deliver(profiles, known, limits=Limits(call_s=settings.channel_timeout + pushing.MAKING_S)),
    ):
        if outcome.error is None:
            sent += _arrived(rows[outcome.id])
        else:
            failed += _failed(rows[outcome.id], outcome, now)
    return SendResult(sent=sent, failed=failed, given_up=given_up)


@writing()
def send_again(notification: Notification, *, by: Any, now: datetime | None = None) -> Notification:
    """Try it again, at once and for a day, whatever its state. Its id stays: receivers know it by that.

    Raises :class:`ActionRefused` if its channel is no longer configured.
    """
    now = now or timezone.now()
    if notification.channel not in outlets(get_settings()):
        raise ActionRefused(f"{notification.channel} is no longer in {_setting(notification)}: set it, then send again")
    row = Notification.objects.select_for_update(of=("self",)).get(pk=notification.pk)
    was = row.get_state_display()
    row.state, row.attempts, row.error, row.sent_at = _State.WAITING, 0, "", None
    row.next_attempt_at = row.again_at = now
    row.save(update_fields=("state", "attempts", "error", "sent_at", "next_attempt_at", "again_at"))
    audit.record(by, row, f"Sent again, was {was}.")
    return row


def known_channels() -> list[str]:
    """The names of the channels in the settings."""
    return list(channels.configured(get_settings()))


def try_out(names: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Send a test message to each of these channels; yields its name and what went wrong, if anything."""
    settings, now = get_settings(), timezone.now().astimezone(UTC).isoformat()
    known = channels.configured(settings)
    message = {
        "id": str(uuid.uuid4()), "type": "test", "severity": "low", "message": "memwatch can reach you. No harm done.",
        "timestamp": now, "value": None, "threshold": None, "unit": "", "event": "raised", "state": "raised",
        "began_at": now, "duration_s": None, "worst_value": None, "summary": None, "service": "", "host": None,
        "slot": None, "processes": None, "object_type": None, "url": settings.site_url or None,
    }  # fmt: skip
    parcels = {name: [Parcel(0, message)] for name in names}
    for outcome in deliver(parcels, known, limits=Limits(call_s=settings.channel_timeout)):
        yield outcome.channel, outcome.error


def _due(now: datetime, known: Mapping[str, channels.Channel]) -> dict[str, list[Notification]]:
    """By channel, oldest first; of an episode only the first that waits: the next one comes when that has arrived."""
    found: dict[str, list[Notification]] = {}
    waiting = Notification.objects.filter(state=_State.WAITING).order_by("id")
    for name in known:
        held: set[str] = set()
        for row in waiting.filter(channel=name)[: 5 * AT_ONCE]:
            if row.next_attempt_at > now:
                held.add(row.episode)
            elif row.episode not in held and len(found.setdefault(name, [])) < AT_ONCE:
                found[name].append(row)
                held.add(row.episode)
    return {name: rows for name, rows in found.items() if rows}


def _give_up(now: datetime, known: Mapping[str, channels.Channel]) -> int:
    """What is too old, and what was meant for a channel that is not there any more."""
    waiting = Notification.objects.filter(state=_State.WAITING)
    given_up = 0
    old = Q(created_at__lt=now - GIVE_UP_AFTER) & (Q(again_at=None) | Q(again_at__lt=now - GIVE_UP_AFTER))
    for row in waiting.filter(old):
        given_up += _close(row, row.error or "not tried in time")
    for row in waiting.exclude(channel__in=known):
        given_up += _close(row, f"the channel is no longer in {_setting(row)}")
    return given_up


def _close(row: Notification, error: str) -> bool:
    with writing():
        rows = Notification.objects.filter(pk=row.pk, state=_State.WAITING)
        if not rows.update(state=_State.FAILED, error=error):
            return False
        counters.add(NOTIFICATIONS_FAILED, 1, channel=row.channel)
    logger.warning("%s was not delivered to %s and is not retried: %s", _named(row), row.channel, error)
    return True


def _arrived(row: Notification) -> bool:
    with writing():
        rows = Notification.objects.filter(pk=row.pk, state=_State.WAITING)
        sent = rows.update(state=_State.SENT, attempts=row.attempts + 1, sent_at=timezone.now(), error="")
        if sent:
            counters.add(NOTIFICATIONS_SENT, 1, channel=row.channel)
    return bool(sent)


def _failed(row: Notification, outcome: Outcome, now: datetime) -> bool:
    wait_s = min(FIRST_RETRY_S * 2 ** min(row.attempts, 20), LONGEST_RETRY_S) * random.uniform(0.9, 1.1)  # noqa: S311
    with writing():
        Notification.objects.filter(pk=row.pk, state=_State.WAITING).update(
            attempts=row.attempts + 1,
            error=(outcome.error or "")[:300],
            next_attempt_at=now + timedelta(seconds=wait_s),
        )
        counters.add(ATTEMPTS_FAILED, 1, channel=row.channel)
    level = logging.WARNING if row.attempts == 0 else logging.INFO
    logger.log(level, "%s was not delivered to %s, will be retried: %s", _named(row), row.channel, outcome.error)
    return True


def _named(row: Notification) -> str:
    if row.recording_id is not None:
        return f"the profile of recording {row.recording_id}"
    return f"recycle {row.recycle_id}" if row.alert_id is None else f"alert {row.alert_id}"
