"""What the SDK's standard variables in the exporter's environment say. No SDK.

Addresses, headers, certificates, time-outs and compression are read by the SDK's exporters themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from urllib.parse import urlsplit

ENDPOINT, PROTOCOL = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"
INTERVAL, TEMPORALITY = "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
DISABLED = "OTEL_SDK_DISABLED"
METRICS, LOGS = "METRICS", "LOGS"
GRPC, HTTP = "grpc", "http/protobuf"
DEFAULT_INTERVAL_S = 60.0
SHORTEST_INTERVAL_S = 1.0
_HTTP_PORT = 4318


class ConfigError(ValueError):
    """The variable, what is wrong with it, and what would be right."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """Where one kind of data goes."""

    protocol: str
    endpoint: str
    """As it is shown: without user, password and query."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """What to send and how."""

    metrics: Signal | None
    logs: Signal | None
    interval_s: float
    delta: bool

    @property
    def anything(self) -> bool:
        return self.metrics is not None or self.logs is not None


def config(environment: Mapping[str, str], *, wanted: bool | None = None) -> Config:
    """``wanted``: ``True`` also without an endpoint, ``False`` never, ``None`` where an endpoint is set.

    Raises :class:`ConfigError`.
    """
    off = wanted is False or environment.get(DISABLED, "").strip().lower() == "true"
    preference = environment.get(TEMPORALITY, "").strip().lower() or "cumulative"
    if preference not in ("cumulative", "delta", "lowmemory"):
        raise ConfigError(f"{TEMPORALITY} is {preference[:40]!r}: give cumulative, delta or lowmemory")
    return Config(
        metrics=None if off else _signal(environment, METRICS, wanted=wanted),
        logs=None if off else _signal(environment, LOGS, wanted=wanted),
        interval_s=_interval_s(environment),
        delta=preference == "delta",
    )


def _signal(environment: Mapping[str, str], name: str, *, wanted: bool | None) -> Signal | None:
    chosen = environment.get(f"OTEL_{name}_EXPORTER", "").strip().lower()
    own = environment.get(f"OTEL_EXPORTER_OTLP_{name}_ENDPOINT", "").strip()
    endpoint = own or environment.get(ENDPOINT, "").strip()
    if (chosen and "otlp" not in chosen.split(",")) or not (endpoint or wanted):
        return None
    specific = f"OTEL_EXPORTER_OTLP_{name}_PROTOCOL"
    protocol = environment.get(specific, "").strip().lower()
    variable = specific if protocol else PROTOCOL
    protocol = protocol or environment.get(PROTOCOL, "").strip().lower()
    port = _port(endpoint)
    if not protocol:
        protocol = HTTP if port == _HTTP_PORT else GRPC
    if protocol not in (GRPC, HTTP):
        raise ConfigError(f"{variable} is {protocol[:40]!r}: give {GRPC} or {HTTP}")
    default = "http://localhost:4317" if protocol == GRPC else f"http://localhost:{_HTTP_PORT}"
    return Signal(protocol=protocol, endpoint=_shown(endpoint or default))


def _port(endpoint: str) -> int | None:
    try:
        return urlsplit(endpoint).port
    except ValueError:
        raise ConfigError(f"{ENDPOINT} is no URL: give one such as http://collector:4317") from None


def _shown(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if not parts.netloc:
        return endpoint
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _interval_s(environment: Mapping[str, str]) -> float:
    text = environment.get(INTERVAL, "").strip()
    if not text:
        return DEFAULT_INTERVAL_S
    try:
        seconds = float(text) / 1000
    except ValueError:
        seconds = 0.0
    if not SHORTEST_INTERVAL_S <= seconds <= 86_400:
        raise ConfigError(f"{INTERVAL} is {text[:40]!r}: give milliseconds from 1000 on, e.g. 60000")
    return seconds
