"""``manage.py memwatch_exporter`` with a collector, as a process of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.metrics.otlp.receiver import GrpcReceiver, HttpReceiver
from tests.metrics.test_exporter_command import ROOT, Exporter, environment, exporter, scrape, wait_for_up
from tests.waiting import until

__all__ = ["environment", "exporter"]

pytestmark = pytest.mark.deployment


def test_an_endpoint_in_its_environment_makes_the_exporter_send(
    environment: dict[str, str], exporter: Callable[..., Exporter], tmp_path: Path, migrated: Path
) -> None:
    shutil.copy(migrated, tmp_path / "db.sqlite3")
    with HttpReceiver() as collector:
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        environment["OTEL_METRIC_EXPORT_INTERVAL"] = "1000"
        process, port = exporter()
        until(lambda: [point for point in collector.points if (point.name, point.value) == ("memwatch.up", 1)])
        until(lambda: scrape(port).get(("memwatch_otlp_sent_total", "signal=metrics"), 0))
        assert scrape(port)["memwatch_otlp_failing", "signal=logs"] == 0
        collector.hang.set()
        until(lambda: collector.requests > len(collector.metrics))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, "a collector that hangs delays no stop"


def test_it_can_be_told_not_to(
    environment: dict[str, str], exporter: Callable[..., Exporter], tmp_path: Path, migrated: Path
) -> None:
    shutil.copy(migrated, tmp_path / "db.sqlite3")
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    _process, port = exporter("--no-otlp")
    assert not [key for key in wait_for_up(port, 1) if key[0].startswith("memwatch_otlp")]


def test_wrong_tls_gives_one_line_while_metrics_are_served(
    environment: dict[str, str], exporter: Callable[..., Exporter], tmp_path: Path, migrated: Path
) -> None:
    shutil.copy(migrated, tmp_path / "db.sqlite3")
    with GrpcReceiver() as plain:
        environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": plain.url.replace("http:", "https:"),
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        process, port = exporter("--otlp")

        def dropped() -> float:
            return scrape(port).get(("memwatch_otlp_dropped_total", "signal=metrics"), 0)

        once = until(dropped)
        until(lambda: dropped() > once)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert process.stderr is not None
    said = process.stderr.read().splitlines()
    assert len(said) == 1, said
    assert "OTLP metrics do not reach https://127.0.0.1" in said[0]
    assert "SSL" in said[0]


@pytest.mark.parametrize("arguments", [["--otlp"], []], ids=["asked for", "by the environment"])
def test_without_the_extra_it_says_what_to_install(
    arguments: list[str], environment: dict[str, str], exporter: Callable[..., Exporter], tmp_path: Path, migrated: Path
) -> None:
    shutil.copy(migrated, tmp_path / "db.sqlite3")
    (tmp_path / "none" / "opentelemetry").mkdir(parents=True)
    missing = "raise ModuleNotFoundError('none', name='opentelemetry')"
    (tmp_path / "none" / "opentelemetry" / "__init__.py").write_text(missing)
    environment |= {"PYTHONPATH": str(tmp_path / "none"), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    if arguments:
        done = subprocess.run(
            [sys.executable, "manage.py", "memwatch_exporter", "--port", "0", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "pip install 'memwatch[otel]'" in done.stderr
        return
    process, port = exporter()
    assert wait_for_up(port, 1)
    process.send_signal(signal.SIGTERM)
    _out, said = process.communicate(timeout=30)
    assert "pip install 'memwatch[otel]'" in said


def test_a_variable_that_cannot_be_used_stops_it_with_the_remedy(environment: dict[str, str]) -> None:
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_METRIC_EXPORT_INTERVAL": "1m"}
    done = subprocess.run(
        [sys.executable, "manage.py", "memwatch_exporter", "--port", "0"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "OTEL_METRIC_EXPORT_INTERVAL is '1m': give milliseconds" in done.stderr
