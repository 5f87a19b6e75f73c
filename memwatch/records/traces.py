"""A span of OpenTelemetry as a text: ``<trace id>-<span id>`` in hexadecimal digits."""

from __future__ import annotations

import re

LENGTH = 32 + 1 + 16
MOST = 10
"""Spans that one recording names."""
_SPAN = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}")


def checked(value: object) -> str:
    """The text, empty where it is none of a span: nothing else of a report is lost for it."""
    return value if isinstance(value, str) and _SPAN.fullmatch(value) else ""


def text(trace: int, span: int) -> str:
    """Of both ids."""
    return f"{trace:032x}-{span:016x}"


def trace_id(span: str) -> str:
    """Of its trace; empty where there is none."""
    return span.partition("-")[0]


def span_id(span: str) -> str:
    """Its own; empty where there is none."""
    return span.partition("-")[2]


def ids(span: str) -> tuple[int, int] | None:
    """Both as numbers; ``None`` for the empty text."""
    return (int(trace_id(span), 16), int(span_id(span), 16)) if span else None


def joined(known: object, more: object) -> list[str]:
    """Both lists without what is no span or comes twice, :data:`MOST` at most."""
    items = [*(known if isinstance(known, list) else ()), *(more if isinstance(more, list | tuple) else ())]
    return list(dict.fromkeys(filter(None, map(checked, items[: 10 * MOST]))))[:MOST]
