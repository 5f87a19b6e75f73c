"""Reads the keys of ``MEMWATCH`` and their environment variables, and says what is wrong with them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from memwatch.agent.config import environment
from memwatch.conf import addresses, values

_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "agent": values.flag,
    **environment.PARSERS,
    "heap_warning_percent": values.between(1, 100, "80"),
    "heap_critical_percent": values.between(1, 100, "90"),
    "growth_rate_warning": values.between(0.01, 1e6, "10"),
    "gc_spike_threshold": values.between(1, 1e6, "2.0"),
    "leak_min_growth_percent": values.between(0, 1e6, "50"),
    "leak_min_growth_count": values.whole(0, 10**9, "100"),
    "look_before_leak": values.flag,
    "drift_warning_percent": values.between(0.01, 1e6, "50"),
    "drift_critical_percent": values.between(0.01, 1e6, "100"),
    "drift_min_mb": values.between(0, 1e9, "50"),
    "release_change_percent": values.between(0.01, 1e6, "10"),
    "release_change_min_mb": values.between(0, 1e9, "16"),
    "hub_transport": values.hub_transport,
    "command_key_file": values.text,
    "task_queue": values.text,
    "retention_snapshots_hours": values.between(1, 1e6, "48"),
    "retention_hourly_days": values.between(1, 1e5, "30"),
    "retention_daily_days": values.between(1, 1e5, "400"),
    "retention_findings_days": values.between(1, 1e5, "400"),
    "retention_recordings_days": values.between(1, 1e5, "30"),
    "recordings_per_service_hour": values.whole(0, 10_000, "20"),
    "recycling": values.flag,
    "recordings_database_kb": values.whole(0, 102_400, "512"),
    "recordings_storage": values.text,
    "recordings_folder": values.text,
    "profiles_url": addresses.profiles,
    "profiles_tenant": values.name,
    "alert_channels": addresses.channels,
    "channel_timeout": values.between(0.1, 300, "10"),
    "webhook_secret": values.text,
    "site_url": addresses.site,
    "runbook_url": values.page,
    "api_token_days": values.between(0.01, 3650, "30"),
    "drf_tokens": values.flag,
    "metrics_token": values.text,
    "metrics_allow_loopback": values.flag,
    "metrics_enabled": values.flag,
    "metrics_namespace": values.namespace,
    "metrics_type_limit": values.whole(1, 10_000, "100"),
    "metrics_work_limit": values.whole(0, 1_000, "50"),
}


_SECRET = ("command_key", "command_key_previous", "metrics_token", "webhook_secret", "alert_channels", "profiles_url")
"""Not shown in errors; the address of a webhook often holds a token."""


def problems(given: Mapping[str, Any], environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every wrong key as ``(key, sentence)``."""
    return parsed(given, environ)[1]


def parsed(given: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The values of the keys that are given, by field, and every wrong key as ``(key, sentence)``."""
    found: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    known = [name.upper() for name in _PARSERS]
    wrong += [
        (str(key), f'MEMWATCH["{key}"] is unknown: the keys are {", ".join(known)}')
        for key in given
        if key not in known
    ]
    for name, parse in _PARSERS.items():
        key = name.upper()
        place, value = f'MEMWATCH["{key}"]', given.get(key, dataclasses.MISSING)
        if f"MEMWATCH_{key}" in environ:
            place, value = f"the environment variable MEMWATCH_{key}", environ[f"MEMWATCH_{key}"]
        if value is dataclasses.MISSING:
            continue
        try:
            taken = parse(value)
        except ValueError as error:
            shown = "***" if name in _SECRET else json.dumps(value, default=repr)[:80]
            wrong.append((key, f"{place} is {shown}: {error}"))
            continue
        if taken is not None:
            found[name] = taken
    low, high = found.get("heap_warning_percent", 80.0), found.get("heap_critical_percent", 90.0)
    if low > high:
        sentence = f'MEMWATCH["HEAP_WARNING_PERCENT"] is {low:g}: give less than HEAP_CRITICAL_PERCENT ({high:g})'
        wrong.append(("HEAP_WARNING_PERCENT", sentence))
    hooks = any(addresses.is_webhook(item) for item in found.get("alert_channels", ()))
    if hooks and not found.get("webhook_secret"):
        sentence = (
            'MEMWATCH["ALERT_CHANNELS"] has a webhook, and MEMWATCH["WEBHOOK_SECRET"] is not set: give both sides a '
            "secret, e.g. of python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
        wrong.append(("WEBHOOK_SECRET", sentence))
    return found, wrong
