"""A site whose own OpenTelemetry is set up by the variables: the agent reads its names and sends nothing there."""

from __future__ import annotations

from pathlib import Path

from tests.launch.running import Hub, environment, python, running
from tests.metrics.otlp.receiver import HttpReceiver
from tests.waiting import until

FORKS = """
import os, sys
print("up", flush=True)
sys.stdin.readline()
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry", "grpc"))), flush=True)
"""


def test_the_agent_and_its_forks_send_nothing_over_otlp(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    with HttpReceiver() as collector:
        environ = environment(
            hub, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_METRIC_EXPORT_INTERVAL="1000", OTEL_METRICS_EXPORTER="otlp", OTEL_LOGS_EXPORTER="otlp",
            OTEL_SERVICE_NAME="shop", OTEL_RESOURCE_ATTRIBUTES="service.namespace=acme",
        )  # fmt: skip
        with running(python("-c", FORKS), environ, tmp_path) as process:
            report = hub.wait_for(process.pid)
            assert report.process.resource.items() >= {"service.name": "shop", "service.namespace": "acme"}.items()
            out, _ = process.communicate("on\n")
        assert (out, process.returncode) == ("up\n[]\n[]\n", 0)
        assert until(lambda: any(each.goodbye for each in hub.of(process.pid)))
        assert collector.requests == 0
