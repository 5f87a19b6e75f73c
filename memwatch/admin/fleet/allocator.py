"""The allocators on the page of a process: what they hold, how they are set, and what a setting changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.detection.allocator_change import in_words
from memwatch.diagnosis.trim.arenas import MS_PER_MB
from memwatch.models import Process
from memwatch.queries.diagnosis import trims
from memwatch.queries.processes import allocator
from memwatch.records import KIB_PER_MB, MemorySnapshot

KEPT_MB, KEPT_PERCENT = 64.0, 25.0
"""So much free memory, and such a share of what was taken, is worth a check."""


def panel(process: Process, figures: MemorySnapshot | None, now: datetime, user: Any) -> Mapping[str, Any] | None:
    """What the template shows to ``user``; ``None`` for a process without an agent."""
    if process.outside:
        return None
    check = allocator.last_check(process) if user.has_perm("memwatch.view_recording") else None
    verdict = trims.verdict_of(check) if check is not None else None
    return {
        "kept": kept(figures) if process.is_alive else "",
        "little": little(figures) if process.is_alive else "",
        "change": change_text(process),
        "settings": settings_text(process.allocator_settings),
        "verdict": formats.with_names(verdict.sentence) if verdict else "",
        "check": formats.link_to(check, _("Allocator check")) if check is not None else "",
        "checked": formats.when(check.requested_at, now) if check is not None else "",
        "of_other": check is not None and check.process_id != process.pk,
    }


def _free_mb(figures: MemorySnapshot | None) -> float | None:
    if figures is None or figures.heap_committed_mb is None or figures.heap_used_mb is None:
        return None
    return figures.heap_committed_mb - figures.heap_used_mb


def _words(figures: MemorySnapshot | None, free: float) -> dict[str, str]:
    return {"free": formats.megabytes(free), "all": formats.megabytes(figures.heap_committed_mb if figures else None)}


def little(figures: MemorySnapshot | None) -> str:
    """A sentence where the allocators keep little that is free; empty where that is not known."""
    free = _free_mb(figures)
    if free is None or kept(figures):
        return ""
    text = _("The allocators hold %(all)s, of which %(free)s is free. Objects and their buffers use the rest.")
    return text % _words(figures, free)


def kept(figures: MemorySnapshot | None) -> str:
    """A sentence where the allocators keep much that is free; else empty."""
    free = _free_mb(figures)
    if figures is None or free is None or free < KEPT_MB or (figures.fragmentation_percent or 0.0) < KEPT_PERCENT:
        return ""
    words = _words(figures, free)
    return (
        _(
            "The allocators hold %(all)s, of which %(free)s is free. That is not a leak: they keep it for later. "
            "An allocator check shows whether they can return it, and which setting would make them."
        )
        % words
    )


def expected_call(process: Process) -> str:
    """How long a check of this process can take, from its last snapshot; empty where that does not tell."""
    last = process.last_snapshot
    if last is None or last.heap_committed_kib is None or last.heap_used_kib is None:
        return ""
    free_mb = max(0, last.heap_committed_kib - last.heap_used_kib) / KIB_PER_MB
    words = {"free": formats.megabytes(free_mb), "time": formats.milliseconds(free_mb * MS_PER_MB)}
    return _("At its last snapshot its allocators had %(free)s free: the call takes at most about %(time)s.") % words


def settings_text(settings: Any) -> str:
    """The variables with their values."""
    if not isinstance(settings, dict):
        return formats.NOT_MEASURED
    return in_words(settings) or _("defaults")


def change_text(process: Process) -> str | SafeString:
    """What the settings of now have changed; empty where that cannot be said."""
    found = allocator.change_of(process)
    if found is None:
        return ""
    words = {
        "with": in_words(found.settings) or _("the defaults"),
        "before": in_words(found.before) or _("the defaults"),
        "since": formats.exact(found.since),
        "age": formats.duration(found.age_s),
        "now_mb": formats.megabytes(found.with_mb),
        "then_mb": formats.megabytes(found.without_mb),
        "now_lives": _lives(found.with_lives),
        "then_lives": _lives(found.without_lives),
        "change": formats.signed_megabytes(found.with_mb - found.without_mb),
    }
    return (
        _(
            "With %(with)s since %(since)s: %(now_mb)s RSS at an age of %(age)s (%(now_lives)s). Before, with "
            "%(before)s: %(then_mb)s (%(then_lives)s). Difference: %(change)s."
        )
        % words
    )


def _lives(number: int) -> str:
    return ngettext("%d process", "median of %d processes", number) % number
