"""One way out: an exporter of the SDK, what became of the data, and one line in the log when that changes."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

from memwatch.exposition import OtlpState
from memwatch.metrics.otlp.config import GRPC, LOGS, METRICS, Signal

logger = logging.getLogger(__name__)

_RETRYING = re.compile(r", retrying in [\d.]+s\.?")
_QUERY = re.compile(r"\?[^\s)'\"]+")
"""Of an address: it may hold a token."""
_FOR_GOOD = re.compile(r"\b(400|413|422|INVALID_ARGUMENT|max_request_size)\b")
"""Answers to the data itself: sent again, it would get the same one."""
_T = TypeVar("_T")


class _Said(logging.Handler):
    """Keeps what the SDK's exporters say in this thread, instead of a line for each attempt."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._by_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        lines = getattr(self._by_thread, "lines", None)
        if lines is not None:
            lines.append(record.getMessage())

    def listen(self) -> deque[str]:
        """The lines of this thread from now on, the first few."""
        lines: deque[str] = deque(maxlen=4)
        self._by_thread.lines = lines
        return lines


_said = _Said()


def _silence_exporters() -> None:
    """Their lines are read by :class:`Outlet`, which says it once; so none may be left out as a repetition."""
    sdk = logging.getLogger("opentelemetry.exporter")
    if _said not in sdk.handlers:
        sdk.addHandler(_said)
        sdk.propagate = False
    for name, each in logging.root.manager.loggerDict.items():
        if name.startswith("opentelemetry.exporter.") and isinstance(each, logging.Logger):
            each.filters = [rule for rule in each.filters if type(rule).__name__ != "DuplicateFilter"]


class Outlet(Generic[_T]):
    """Sends through ``export``, which answers whether it arrived. Used by one thread; the counts are read by any."""

    def __init__(self, name: str, endpoint: str, export: Callable[[_T], bool], close: Callable[[], None]) -> None:
        self.name, self.endpoint = name, endpoint
        self._export, self._close = export, close
        self._failing_since: float | None = None
        self.sent = self.dropped = 0
        self.refused = False
        """Whether the last attempt failed by an answer to the data itself."""

    def send(self, data: _T, count: int, *, probe: bool = False) -> bool:
        """Whether these ``count`` things arrived. Never raises. A ``probe`` is not said to fail: the whole was."""
        lines = _said.listen()
        try:
            arrived, reason = self._export(data), ""
        except Exception as error:  # noqa: BLE001 - whatever an exporter raises, the next attempt is made
            arrived, reason = False, f"{type(error).__name__}: {error}"
        if arrived:
            self.sent += count
            self.refused = False
            if not probe:
                self._note_arrival()
        else:
            reason = reason or _RETRYING.sub(".", lines[0] if lines else "no reason was given")
            self.refused = _FOR_GOOD.search(reason) is not None
            if not probe:
                self._note_failure(reason)
        return arrived

    def drop(self, count: int) -> None:
        """Count what is not sent again."""
        self.dropped += count

    def state(self) -> OtlpState:
        """For the exposition."""
        return OtlpState(
            signal=self.name, sent=self.sent, dropped=self.dropped, failing=self._failing_since is not None
        )

    def close(self) -> None:
        """Give up the connection; an attempt under way ends."""
        self._close()

    def _note_failure(self, reason: str) -> None:
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            line = _QUERY.sub("?…", " ".join(reason.split()))[:400]
            logger.warning("OTLP %s do not reach %s, and memwatch goes on trying: %s", self.name, self.endpoint, line)

    def _note_arrival(self) -> None:
        if self._failing_since is not None:
            logger.info(
                "OTLP %s reach %s again after %.0f s", self.name, self.endpoint, time.monotonic() - self._failing_since
            )
            self._failing_since = None


def metrics_outlet(signal: Signal) -> Outlet[MetricsData]:
    """To the endpoint that the standard variables name."""
    exporter = _metric_exporter(signal)
    return Outlet(
        METRICS.lower(),
        signal.endpoint,
        lambda data: exporter.export(data).name == "SUCCESS",
        exporter.shutdown,
    )


def logs_outlet(signal: Signal) -> Outlet[list[ReadableLogRecord]]:
    """To the endpoint that the standard variables name."""
    exporter = _log_exporter(signal)
    return Outlet(
        LOGS.lower(),
        signal.endpoint,
        lambda records: exporter.export(records).name == "SUCCESS",
        exporter.shutdown,
    )


def _metric_exporter(signal: Signal) -> MetricExporter:
    made: Any
    if signal.protocol == GRPC:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its C core has a line of its own for each handshake
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

        made = OTLPMetricExporter()
    else:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
            OTLPMetricExporter as HttpMetricExporter,
        )

        made = HttpMetricExporter()
    _silence_exporters()
    exporter: MetricExporter = made
    return exporter


def _log_exporter(signal: Signal) -> LogRecordExporter:
    made: Any
    if signal.protocol == GRPC:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter  # noqa: PLC0415

        made = OTLPLogExporter()
    else:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import (  # noqa: PLC0415
            OTLPLogExporter as HttpLogExporter,
        )

        made = HttpLogExporter()
    _silence_exporters()
    exporter: LogRecordExporter = made
    return exporter
