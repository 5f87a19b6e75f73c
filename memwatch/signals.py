"""Django signals that a site can listen to. The sender is the model class; receivers that raise are logged."""

from __future__ import annotations

from django.dispatch import Signal

leak_detected = Signal()
"""Sent with ``leak`` (a :class:`memwatch.models.Leak`) when a leak is opened or reopened."""

alert_raised = Signal()
"""Sent with ``alert`` (a :class:`memwatch.models.Alert`) once, when a threshold is crossed."""

alert_cleared = Signal()
"""Sent with ``alert`` when what was crossed is over."""
