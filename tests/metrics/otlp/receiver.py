"""Collectors for the tests: real servers on free ports that keep what they get and answer as the test wants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, NamedTuple, Self

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc


class Point(NamedTuple):
    """One point as it arrived."""

    resource: dict[str, Any]
    name: str
    unit: str
    kind: str
    """``gauge``, ``counter`` or ``updowncounter``."""
    delta: bool
    attributes: dict[str, Any]
    start: int
    at: int
    value: float
    spans: tuple[str, ...]
    """Of its exemplars: trace and span."""


class Record(NamedTuple):
    """One log record as it arrived."""

    resource: dict[str, Any]
    name: str
    severity: int
    body: str
    attributes: dict[str, Any]
    trace_id: str
    span_id: str


class Receiver:
    """Use as a context. ``refuse``: how it answers from now on, ``None`` for well. ``hang``: it answers much later."""

    url = ""

    def __init__(self) -> None:
        self.metrics: list[Any] = []
        self.logs: list[Any] = []
        self.requests = 0
        self.refuse: Any = None
        self.refuses_text = ""
        """A request with this text in it is refused as wrong."""
        self.busy_at = 0
        """The request of this number is answered with 503."""
        self.hang = threading.Event()
        self._ending = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()

    def _refusal(self, request: bytes) -> Any:
        if self.requests == self.busy_at:
            return 503
        return 400 if self.refuses_text and self.refuses_text.encode() in request else self.refuse

    @property
    def points(self) -> list[Point]:
        return [point for request in self.metrics for point in _points(request)]

    @property
    def records(self) -> list[Record]:
        return [record for request in self.logs for record in _records(request)]


class GrpcReceiver(Receiver):
    """Speaks gRPC."""

    refusals: ClassVar = {
        400: grpc.StatusCode.INVALID_ARGUMENT, 401: grpc.StatusCode.UNAUTHENTICATED,
        429: grpc.StatusCode.RESOURCE_EXHAUSTED, 503: grpc.StatusCode.UNAVAILABLE,
    }  # fmt: skip

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        receiver = self

        class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:
                receiver._take(receiver.metrics, request, context)
                return metrics_service_pb2.ExportMetricsServiceResponse()

        class Logs(logs_service_pb2_grpc.LogsServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:
                receiver._take(receiver.logs, request, context)
                return logs_service_pb2.ExportLogsServiceResponse()

        self._server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), self._server)
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Logs(), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.url = f"http://127.0.0.1:{self.port}"
        self._server.start()

    def __exit__(self, *_error: object) -> None:
        super().__exit__()
        self._server.stop(None).wait()

    def _take(self, kept: list[Any], request: Any, context: Any) -> None:
        self.requests += 1
        if self.hang.is_set():
            self._ending.wait(60)
        refuse = self._refusal(request.SerializeToString())
        if refuse is not None:
            context.abort(self.refusals[refuse], "refused by the test")
        kept.append(request)


class HttpReceiver(Receiver):
    """Speaks HTTP with protobuf."""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.requests += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.hang.is_set():
                    receiver._ending.wait(60)
                    return
                refuse = receiver._refusal(body)
                if refuse is None:
                    kept, kind = {
                        "/v1/metrics": (receiver.metrics, metrics_service_pb2.ExportMetricsServiceRequest),
                        "/v1/logs": (receiver.logs, logs_service_pb2.ExportLogsServiceRequest),
                    }[self.path]
                    kept.append(kind.FromString(body))
                self.send_response(refuse or 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        super().__exit__()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


RECEIVERS = {"grpc": GrpcReceiver, "http/protobuf": HttpReceiver}


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def _points(request: Any) -> Iterator[Point]:
    for resource in request.resource_metrics:
        named = _values(resource.resource.attributes)
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            data = getattr(metric, metric.WhichOneof("data"))
            kind = "gauge"
            if metric.HasField("sum"):
                kind = "counter" if data.is_monotonic else "updowncounter"
            delta = kind != "gauge" and data.aggregation_temporality == 1
            for point in data.data_points:
                yield Point(
                    named, metric.name, metric.unit, kind, delta, _values(point.attributes),
                    point.start_time_unix_nano, point.time_unix_nano, getattr(point, point.WhichOneof("value")),
                    tuple(f"{each.trace_id.hex()}-{each.span_id.hex()}" for each in point.exemplars),
                )  # fmt: skip


def _records(request: Any) -> Iterator[Record]:
    for resource in request.resource_logs:
        named = _values(resource.resource.attributes)
        for record in (record for scope in resource.scope_logs for record in scope.log_records):
            yield Record(
                named, record.event_name, record.severity_number, record.body.string_value, _values(record.attributes),
                record.trace_id.hex(), record.span_id.hex(),
            )  # fmt: skip
