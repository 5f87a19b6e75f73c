"""``/metrics`` of the web process: the site's metrics and memwatch's, together."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os

import prometheus_client
from django.apps import apps
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import multiprocess
from prometheus_client.core import Metric

from memwatch.conf import Settings, get_settings
from memwatch.exposition import site_up
from memwatch.metrics.collector import FleetCollector
from memwatch.metrics.rendered_page import Page, accepts_gzip

logger = logging.getLogger(__name__)

fleet = FleetCollector()
"""One for the process: scrapes that come close together share a reading."""

_FORWARDING = (
    "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP", "HTTP_X_CLUSTER_CLIENT_IP",
    "HTTP_TRUE_CLIENT_IP", "HTTP_CF_CONNECTING_IP",
)  # fmt: skip
"""Beside every ``X-Forwarded-…``: what a proxy adds."""


@transaction.non_atomic_requests
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, or OpenMetrics where it is asked for; 404 when switched off, 401 without the token."""
    settings = get_settings()
    if not settings.metrics_enabled:
        return _text("not found\n", 404)
    if not allowed(request, settings):
        answer = _text('give "Authorization: Bearer …" with the token of MEMWATCH["METRICS_TOKEN"]\n', 401)
        answer["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return answer
    compressed = accepts_gzip(request.headers.get("Accept-Encoding", ""))
    page = Page([*_site_metrics(), *fleet.metrics()])
    body, content_type = page.body(request.headers.get("Accept", ""), compressed=compressed)
    answer = HttpResponse(body, content_type=content_type)
    answer["Vary"] = "Accept, Accept-Encoding"
    if compressed:
        answer["Content-Encoding"] = "gzip"
    return answer


def allowed(request: HttpRequest, settings: Settings) -> bool:
    """Whether the request carries the token, or comes straight from this host where the settings let that pass."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.metrics_token and scheme.lower() == "bearer":
        return hmac.compare_digest(token.strip().encode(), settings.metrics_token.encode())
    return settings.metrics_allow_loopback and _is_local(request)


def _is_local(request: HttpRequest) -> bool:
    """From loopback, addressed to loopback, through no proxy that says so."""
    meta = request.META
    if any(name in meta for name in _FORWARDING) or any(name.startswith("HTTP_X_FORWARDED") for name in meta):
        return False
    host = meta.get("HTTP_HOST", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return _is_loopback(meta.get("REMOTE_ADDR", "")) and (name.lower() in ("localhost", "") or _is_loopback(name))


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _site_metrics() -> list[Metric]:
    """django-prometheus' metrics and whatever else the site counts; nothing where django-prometheus is not installed.

    With several web workers (``PROMETHEUS_MULTIPROC_DIR``) they are summed over the workers.
    """
    if not apps.is_installed("django_prometheus"):
        return []
    try:
        registry = prometheus_client.REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ or "prometheus_multiproc_dir" in os.environ:
            registry = prometheus_client.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return [*registry.collect(), *site_up(up=True)]
    except Exception as error:  # noqa: BLE001 - a collector of the site that fails must not hide the others
        logger.warning("the site's own metrics cannot be read: %s: %s", type(error).__name__, str(error)[:300])
        return site_up(up=False)


def _text(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
