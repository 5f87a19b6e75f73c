"""A series as a picture of a word's size: inline SVG, with what it shows as its text."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString

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
