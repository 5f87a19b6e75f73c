"""Sizes and counts as people read them, without Django."""

from __future__ import annotations

UNITS = ("B", "KB", "MB", "GB", "TB")


def size_text(value: float) -> str:
    """``12.3 MB``; a KB has 1,024 bytes."""
    size, unit = abs(float(value)), 0
    while size >= 999.5 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    sign = "-" if value < 0 else ""
    return f"{sign}{size:,.0f} {UNITS[unit]}" if unit == 0 else f"{sign}{size:,.1f} {UNITS[unit]}"


def change_text(value: float) -> str:
    """With its sign."""
    return f"+{size_text(value)}" if value > 0 else size_text(value)


def count_text(count: int, of: str) -> str:
    """``1 dict``, ``2,000 dict objects``, ``3 objects``."""
    if of == "object":
        return f"{count:,} object{'' if count == 1 else 's'}"
    return f"1 {of} object" if count == 1 else f"{count:,} {of} objects"
