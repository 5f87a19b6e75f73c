"""How far events were sent, and how far steps have come: read, and moved on when that is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta

from memwatch.models import EventCursor

MOST_SENT = 20_000
"""Ids that are kept of one kind. With more in its time, what is older than they are counts as sent."""
OLDEST = timedelta(days=7)
"""What is older is not sent: it is no news."""
LATE = timedelta(minutes=10)
"""So long after its time a row may be there to be read: its transaction took long, or clocks are apart."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Where one kind of events stands."""

    name: str
    began_at: datetime
    at: datetime
    sent: Mapping[str, float]
    """The time of each of the latest, in seconds since 1970, by its id."""

    def since(self, now: datetime) -> datetime:
        """From where on to look for what was not sent."""
        found = max(self.began_at, self.at - LATE, now - OLDEST)
        if len(self.sent) >= MOST_SENT:
            oldest = datetime.fromtimestamp(min(self.sent.values()), now.tzinfo)
            found = max(found, oldest + timedelta(microseconds=1))
        return found

    def moved(self, at: datetime, sent: Mapping[str, float]) -> Position:
        """With these sent as well, up to that time."""
        kept = {key: when for key, when in {**self.sent, **sent}.items() if when >= (at - LATE).timestamp()}
        newest = sorted(kept.items(), key=lambda item: item[1])[-MOST_SENT:]
        return dataclasses.replace(self, at=at, sent=dict(newest))


def position(name: str, now: datetime) -> Position:
    """Where it stands; one that is new begins now."""
    row, _new = EventCursor.objects.get_or_create(name=name, defaults={"began_at": now, "at": now})
    sent = {str(key): float(when) for key, when in row.sent}
    return Position(name=name, began_at=row.began_at, at=row.at, sent=sent)


def save(moved: Position, before: Position) -> None:
    """Keep it for the next time, also after a restart."""
    row = EventCursor.objects.filter(name=moved.name)
    if moved.sent == before.sent:  # the long column is left as it lies
        row.update(at=moved.at)
    else:
        row.update(at=moved.at, sent=list(moved.sent.items()))


def reached(name: str, now: datetime) -> datetime | None:
    """How far a step has come; ``None`` for one that is new, or that came there before the clock was set back."""
    return EventCursor.objects.filter(name=name, at__lte=now).values_list("at", flat=True).first()


def reach(name: str, at: datetime) -> None:
    """Keep how far a step has come."""
    EventCursor.objects.update_or_create(name=name, defaults={"at": at}, create_defaults={"began_at": at, "at": at})
