"""Whether silence says anything: not while the transport is away, nor just after it came back.

Kept in a row of :class:`memwatch.models.Lease`, since any worker may be the next that looks: when the transport was
last reached, and until when no process is ended.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from memwatch.models import Lease
from memwatch.services.locking import CLOCKS_APART

FRESH = timedelta(seconds=150)
"""The transport was away, or no worker looked, where the last look is older. Beat has one taken every minute."""
RETURN = timedelta(seconds=90)
"""So long agents may take until they have noticed that the transport is back: they try once a minute at least."""
_NAME = "memwatch.transport"


def lost(now: datetime) -> None:
    """The transport cannot be reached."""
    Lease.objects.update_or_create(name=_NAME, defaults={"expires_at": now, "last_finished_at": None})


def counts(now: datetime) -> bool:
    """The transport can be reached: whether it could be all the time, so that who is silent is silent by itself."""
    row = Lease.objects.filter(name=_NAME).first() or Lease(name=_NAME, expires_at=now, last_finished_at=now)
    last = row.last_finished_at
    if last is None or (now - last > FRESH and row.expires_at <= last):  # where looks are rare, one has waited already
        row.expires_at = now + RETURN
    elif row.expires_at > now + RETURN + CLOCKS_APART:  # the clock was set back
        row.expires_at = now
    row.last_finished_at = now
    row.save()
    return row.expires_at <= now
