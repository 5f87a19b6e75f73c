"""Which buttons begin a recording of a leak or a process."""

from __future__ import annotations

from django import template

from memwatch.admin.recording_forms import Offer, offered
from memwatch.models import Leak, Process

register = template.Library()


@register.simple_tag
def record_offers(leak: Leak | str | None = None, process: Process | str | None = None, kind: str = "") -> list[Offer]:
    """What can be recorded; nothing for a process that is over, or has no agent."""
    if isinstance(leak, Leak):
        return offered(leak=leak, kind=kind) if leak.state != Leak.State.RESOLVED else []
    if isinstance(process, Process) and process.is_alive and not process.outside:
        return offered(leak=None, kind=kind)
    return []
