"""Which buttons begin a recording of a leak or a process."""

from __future__ import annotations

from typing import Any

from django import template

from memwatch.models import Leak, Process, RecordingKind

register = template.Library()


@register.simple_tag
def record_offers(
    leak: Leak | str | None = None,
    process: Process | str | None = None,
    kind: str = "",
    may_trim: bool = True,
    may_dump: bool = True,
) -> list[Any]:
    """What can be recorded; nothing for a process that is over, or has no agent."""
    # Django loads the tags of every installed application, also in a site that has no admin.
    from memwatch.admin.recordings.forms import offered  # noqa: PLC0415

    allowed = {RecordingKind.TRIM: may_trim, RecordingKind.HEAP_DUMP: may_dump}
    forbidden = {str(kind) for kind, may in allowed.items() if not may}
    if isinstance(leak, Leak):
        return offered(leak=leak, kind=kind, forbidden=forbidden) if leak.state != Leak.State.RESOLVED else []
    if isinstance(process, Process) and process.is_alive and not process.outside:
        return offered(leak=None, kind=kind, forbidden=forbidden)
    return []
