"""Figures as the admin shows them: the texts of :mod:`memwatch.formatting`, badges, links, times with a hover.

Everything here is escaped and safe to put into a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from memwatch.formatting import (
    HOUR,
    MINUTE,
    NOT_MEASURED,
    age,
    at_most,
    chance,
    count,
    decimal,
    duration,
    exact,
    first_sentence,
    kib,
    leak_amount,
    leak_growth,
    megabytes,
    milliseconds,
    percent,
    precise,
    signed_count,
    signed_megabytes,
    signed_percent,
    signed_took,
    took,
)
from memwatch.models import Severity


def name_of(field: str) -> str:
    """The lookup of the name of the user in ``field``: ``created_by__username``, or what the site has instead."""
    return f"{field}__{get_user_model().USERNAME_FIELD}"


WIDTH, HEIGHT, MARGIN = 120, 28, 3
LEAST_SHARE = 0.2
"""The height stands for at least this share of the highest value: noise is drawn as noise, in the middle."""


def sparkline(values: Sequence[float], text: str) -> SafeString:
    """A line through the values; empty for fewer than two."""
    if len(values) < 2:
        return SafeString("")
    low, top = min(values), max(values)
    reach = max(top - low, top * LEAST_SHARE) or 1.0
    bottom = (low + top - reach) / 2
    step = (WIDTH - 2 * MARGIN) / (len(values) - 1)
    spots = [
        (MARGIN + place * step, HEIGHT - MARGIN - (value - bottom) / reach * (HEIGHT - 2 * MARGIN))
        for place, value in enumerate(values)
    ]
    return format_html(
        '<svg class="mw-spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}"><title>{}</title>'
        '<polyline points="{}"/><circle cx="{}" cy="{}" r="2.2"/></svg>',
        WIDTH,
        HEIGHT,
        WIDTH,
        HEIGHT,
        text,
        text,
        " ".join(f"{x:.1f},{y:.1f}" for x, y in spots),
        f"{spots[-1][0]:.1f}",
        f"{spots[-1][1]:.1f}",
    )


BAR_WIDTH, BAR_HEIGHT = 80, 8


def bar(share: float) -> SafeString:
    """A bar filled to this share, 0 to 1; the figure stands beside it as text."""
    return format_html(
        '<svg class="mw-bar" viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">'
        '<rect class="mw-bar-all" width="{0}" height="{1}" rx="2"/><rect width="{2}" height="{1}" rx="2"/></svg>',
        BAR_WIDTH,
        BAR_HEIGHT,
        f"{share * BAR_WIDTH:.1f}",
    )


__all__ = [
    "HOUR", "MINUTE", "NOT_MEASURED", "SEVERITY_SHAPES", "STATE_SHAPES",
    "age", "at_most", "badge", "bar", "chance", "changelist", "count", "decimal", "duration", "exact", "first_sentence",
    "kib", "leak_amount", "leak_growth", "link", "link_to", "megabytes", "milliseconds", "moment", "number", "page_url",
    "percent", "precise", "preformatted", "severity_of", "severity_word", "signed_count", "signed_megabytes",
    "signed_percent", "signed_took", "state_badge", "state_of", "took", "type_name", "when", "with_names",
]  # fmt: skip

SEVERITY_SHAPES = {"low": "○", "medium": "◐", "high": "▲", "critical": "■"}
"""The shape of each severity: word, shape and colour say the same."""

STATE_SHAPES = {
    "alive": "●", "stale": "◌", "ended": "○",
    "open": "●", "acknowledged": "◐", "snoozed": "◷", "resolved": "✓", "suppressed": "⊘",
    "raised": "●", "cleared": "✓",
    "sent": "◌", "done": "✓", "refused": "⊘", "failed": "✗", "expired": "◷",
    "requested": "◌", "running": "●", "cancelled": "⊘",
}  # fmt: skip


def when(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """The relative time, with the exact one on hover."""
    if moment is None:
        return SafeString(NOT_MEASURED)
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact(moment), age(moment, now))


def moment(at: datetime) -> SafeString:
    """The exact time itself, to the second; on hover how long ago."""
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), age(at), exact(at))


def badge(kind: str, value: str, label: str | Promise, shape: str = "") -> SafeString:
    """A word in a coloured frame with a shape before it, so that colour is not all there is."""
    return format_html(
        '<span class="mw-badge mw-{}-{}"><span aria-hidden="true">{}</span> {}</span>', kind, value, shape, label
    )


def severity_word(severity: str) -> str:
    return str(Severity(severity).label)


def severity_of(row: Any) -> SafeString:
    """The badge of a leak or an alert."""
    return badge("severity", row.severity, row.get_severity_display(), SEVERITY_SHAPES.get(row.severity, ""))


def state_badge(state: str, label: str | Promise) -> SafeString:
    return badge("state", state, label, STATE_SHAPES.get(state, ""))


def state_of(row: Any) -> SafeString:
    """The badge of a row with a field ``state``."""
    return state_badge(row.state, row.get_state_display())


def number(text: str, title: str = "") -> SafeString:
    """A figure in a column of figures: right-aligned; ``title`` is shown on hover."""
    if title:
        return format_html('<span class="mw-number" title="{}">{}</span>', title, text)
    return format_html('<span class="mw-number">{}</span>', text)


def type_name(name: str) -> SafeString:
    return format_html('<span class="mw-type">{}</span>', name)


def with_names(sentence: str) -> SafeString:
    """A sentence whose names in backticks look like those of types."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return format_html("{}", sentence)
    return format_html_join("", "{}", ((type_name(part) if at % 2 else part,) for at, part in enumerate(parts)))


def link(url: str, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, text)


def link_to(row: Model, text: str = "") -> SafeString:
    """A link to the page of a row, by its own name unless another text is given."""
    return link(page_url(str(row._meta.model_name), row.pk), text or str(row))


def page_url(model: str, pk: object) -> str:
    """The admin page of one row."""
    return reverse(f"admin:memwatch_{model}_change", args=(pk,))


def changelist(model: str, **filters: str | int) -> str:
    """The admin list, filtered."""
    query = f"?{urlencode(filters)}" if filters else ""
    return reverse(f"admin:memwatch_{model}_changelist") + query


def preformatted(text: str) -> SafeString:
    return format_html('<pre class="mw-raw" tabindex="0">{}</pre>', text)
