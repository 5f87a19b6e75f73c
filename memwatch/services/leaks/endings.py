"""What becomes of the leaks of processes that ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from memwatch.models import Leak, LeakEvent, Process
from memwatch.services.leaks.judgement import Key
from memwatch.services.leaks.state import close
from memwatch.services.locking import writing


def end_leaks(processes: Iterable[Process], now: datetime) -> int:
    """Resolve what is left of processes that ended. A snooze stays noted for the process that takes the slot."""
    ended = 0
    for process in processes:
        with writing():
            rows = Leak.objects.unresolved().select_for_update(of=("self",)).filter(process=process)
            for row in rows:
                snoozed_until = row.snoozed_until
                close(row, now)
                row.snoozed_until = snoozed_until
                row.save(update_fields=["state", "resolved_at", "snoozed_until", "evidence"])
                comment = f"process ended ({process.get_end_reason_display() or 'unknown how'})"
                LeakEvent.objects.create(leak=row, kind=LeakEvent.Kind.RESOLVED, at=now, comment=comment)
                ended += 1
    return ended


def snooze_of_predecessor(process: Process, key: Key, now: datetime) -> datetime | None:
    """A snooze outlives the process it was set for: a recycled worker must not wake the operator."""
    before = Leak.objects.filter(
        process__service=process.service_id, process__host=process.host, process__slot_number=process.slot_number,
        process__ended_at__isnull=False, kind=key[0], object_type=key[1], snoozed_until__gt=now,
    )  # fmt: skip
    return before.order_by("-id").values_list("snoozed_until", flat=True).first()
