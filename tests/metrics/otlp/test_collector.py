"""Through a collector that others have made, and that reads and writes OTLP with its own code: Rotel, in Rust."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.utils import timezone
from opentelemetry.sdk._logs import ReadableLogRecord

from memwatch.metrics.otlp.config import config
from memwatch.metrics.otlp.events import record
from memwatch.metrics.otlp.outlet import logs_outlet, metrics_outlet
from memwatch.metrics.otlp.points import batches
from memwatch.queries.deployment.event_log import DEATH, LoggedEvent
from tests.metrics.otlp.receiver import GrpcReceiver, Receiver
from tests.metrics.otlp.test_points import known, reading, sent
from tests.servers import free_port, require
from tests.waiting import until


@pytest.fixture(params=["grpc", "http/protobuf"])
def behind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Receiver]:
    """What the collector sends on arrives here; the variables point at the collector."""
    program = os.environ.get("MEMWATCH_ROTEL") or shutil.which("rotel-agent")
    agent = require("rotel", program, "pip install rotel, and name its rotel-agent in MEMWATCH_ROTEL")
    ports = {"grpc": free_port(), "http/protobuf": free_port()}
    with GrpcReceiver() as receiver:
        command = [
            agent, "start", "--disable-batching", "--exporter", "otlp", "--otlp-exporter-protocol", "grpc",
            "--otlp-exporter-endpoint", receiver.url, "--otlp-grpc-endpoint", f"127.0.0.1:{ports['grpc']}",
            "--otlp-http-endpoint", f"127.0.0.1:{ports['http/protobuf']}",
        ]  # fmt: skip
        with (tmp_path / "log").open("wb") as log:
            collector = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})
        try:
            until(lambda: all(map(_listens, ports.values())))
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{ports[request.param]}")
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", request.param)
            yield receiver
        finally:
            collector.kill()
            collector.wait()


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_every_point_comes_through_as_it_was_sent(behind: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    one = reading(known())
    with GrpcReceiver() as direct, monkeypatch.context() as plain:
        plain.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", direct.url)
        plain.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        wanted = sorted(map(repr, sent(direct, one)))
    signal = config(os.environ).metrics
    assert signal is not None
    with closing(metrics_outlet(signal)) as outlet:
        for batch in batches(one):
            assert outlet.send(batch.data, batch.points)
    until(lambda: len(behind.points) >= len(wanted) > 0)
    assert sorted(map(repr, behind.points)) == wanted


def test_an_event_comes_through_with_its_name_and_trace(behind: Receiver) -> None:
    now = timezone.now()
    event = LoggedEvent(
        id="process-1-oom_process", at=now, name=DEATH, severity="high", text="web-1 was killed.", service="web",
        process=None, page=("death", 1), attributes={"memwatch.death.memory": 5}, trace_id="ab" * 16, span_id="cd" * 8,
    )  # fmt: skip
    one: ReadableLogRecord = record(event, now)
    signal = config(os.environ).logs
    assert signal is not None
    with closing(logs_outlet(signal)) as outlet:
        assert outlet.send([one], 1)
    (found,) = until(lambda: behind.records)
    assert (found.name, found.severity, found.body) == (DEATH, 17, "web-1 was killed.")
    assert (found.trace_id, found.span_id) == ("ab" * 16, "cd" * 8)
    assert found.attributes["memwatch.death.memory"] == 5
    assert found.resource["service.name"] == "web"
