"""An exposition as bytes: the format and the compression that the scraper asks for, each made once. No Django."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Collection, Sequence

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from memwatch.metrics.lines import encode

MAX_FORMATS = 8
"""Formats kept of one page; a scraper that invents more gets them made each time."""


Form = tuple[str, bool]
"""The content type, and whether the bytes are gzipped."""


class Page:
    """Metric families, rendered when first asked for. Safe to read from many threads."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._bodies: dict[Form, bytes] = {}
        self._accepts: dict[Form, str] = {}
        self._lock = threading.Lock()

    def body(self, accept: str = "", *, compressed: bool = False) -> tuple[bytes, str]:
        """The bytes and their content type: Prometheus' text format, or OpenMetrics where ``accept`` asks for it."""
        try:
            encoder, content_type = choose_encoder(accept)
        except Exception:  # noqa: BLE001 - a client's odd version number fails in the parser: it gets plain text
            accept = ""
            encoder, content_type = choose_encoder(accept)
        form = (content_type, compressed)
        with self._lock:
            if (body := self._bodies.get(form)) is not None:
                return body, content_type
            body = encode(self._metrics, encoder, content_type)
            if compressed:
                body = gzip.compress(body, compresslevel=1)
            if len(self._bodies) < MAX_FORMATS:
                self._bodies[form] = body
                self._accepts[form] = accept
        return body, content_type

    def asked_for(self) -> Collection[tuple[str, bool]]:
        """The ``accept`` and compression of each format given out, to make them ahead for the next page."""
        with self._lock:
            return [(accept, compressed) for (_type, compressed), accept in self._accepts.items()]


def accepts_gzip(header: str) -> bool:
    """Whether an ``Accept-Encoding`` takes gzip."""
    for item in header.lower().split(","):
        name, _, parameters = item.partition(";")
        if name.strip() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
