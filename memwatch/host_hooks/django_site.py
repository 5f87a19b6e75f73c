"""Counts what a Django site does that has not installed memwatch."""

from __future__ import annotations

from memwatch import autostart, job_hooks


def install() -> None:
    """Wrap what is loaded of Django, once."""
    job_hooks.wrap()
    autostart.connect()
