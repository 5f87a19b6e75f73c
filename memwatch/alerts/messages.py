"""What is said of an alert or a recycled worker in words that a person reads: the subject and the text of a message.

A message is a dict, JSON-ready:

``id``
    the same in every attempt to deliver it, so that a receiver can drop what comes twice.
``type``, ``severity``, ``message``, ``value``, ``threshold``
    of the alert, as in the admin; ``unit`` is that of the two figures. A recycled worker has one of
    :data:`RECYCLE_TYPES`, the severity ``low``, and as its value the private memory before.
``event``
    ``raised``, ``worse`` (the same episode, at a higher severity) or ``cleared``; ``info`` where there is no episode.
``state``
    ``raised`` or ``cleared``; with ``info`` always ``cleared``: nothing is open.
``timestamp``, ``began_at``
    of the event and of the episode, ISO 8601.
``duration_s``, ``worst_value``, ``summary``
    with ``cleared``: how long the episode lasted, its worst figure, and a sentence; else ``None``.
``service``, ``host``, ``slot``
    the last two are ``None`` where several processes are concerned.
``processes``
    how many have the leak; ``None`` for one of the whole service, and for what is no leak.
``object_type``
    of a leak, else ``None``.
``url``
    of the page in the admin; with ``SITE_URL`` absolute, ``None`` where there is no admin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_SUBJECT = 150
RECYCLE_TYPES = WORKER_RECYCLED, RECYCLE_REHEARSED = ("worker_recycled", "recycle_rehearsed")
"""A worker that was recycled, and one that would have been."""

UNITS = {
    "heap_warning": "%",
    "heap_critical": "%",
    "container_warning": "%",
    "container_critical": "%",
    "growth_rate": "% an hour",
    "gc_spike": "collections a second",
    "leak": "% growth",
    "baseline_drift": "% above the baseline",
    "job_peak": "% of the limit",
    "process_killed": "in the last hour",
    "release_change": "MB a worker more",
    WORKER_RECYCLED: "MB of private memory",
    RECYCLE_REHEARSED: "MB of private memory",
}
"""The unit of an alert's value and threshold, by type."""


def headline(message: Mapping[str, Any]) -> str:
    """One line without control characters, e.g. for a subject: how bad, and the first sentence."""
    said = str(message.get("summary") or message["message"]).split(". ", 1)[0].rstrip(".")
    word = {"raised": message["severity"], "worse": f"worse, {message['severity']}", "cleared": "over", "info": "info"}
    line = f"[memwatch] {word[message['event']]}: {said}"
    line = "".join(character if character.isprintable() else " " for character in line)
    return line if len(line) <= MAX_SUBJECT else f"{line[: MAX_SUBJECT - 1]}…"


def text(message: Mapping[str, Any]) -> str:
    """Several lines: what, why it fired, since when, where, and where to look."""
    lines = [str(message.get("summary") or message["message"]), ""]
    if message["event"] == "cleared":
        lines += [f"It was: {message['message']}", ""]
    why = _measured(message)
    place = " on ".join(str(part) for part in (message["slot"], message["host"]) if part)
    for name, value in (
        ("severity", message["severity"]),
        ("why", why),
        ("began", message["began_at"]),
        ("service", message["service"]),
        ("process", place or None),
        ("type", message.get("object_type")),
        ("page", message.get("url")),
    ):
        if value:
            lines.append(f"{name + ':':<10}{value}")
    return "\n".join(lines) + "\n"


def digest(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Subject and text of several messages at once."""
    if len(messages) == 1:
        return headline(messages[0]), text(messages[0])
    subject = f"[memwatch] {len(messages)} messages: {headline(messages[0]).removeprefix('[memwatch] ')}"
    return subject[:MAX_SUBJECT], ("\n" + "-" * 60 + "\n\n").join(text(message) for message in messages)


def _measured(message: Mapping[str, Any]) -> str | None:
    value, threshold = message.get("value"), message.get("threshold")
    if value is None:
        return None
    unit = message.get("unit") or ""
    said = f"{value:,.4g} {unit}".strip() if abs(value) < 1000 else f"{value:,.0f} {unit}".strip()
    return said if threshold is None else f"{said}, threshold {threshold:,g}"
