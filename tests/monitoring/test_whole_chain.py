"""From a leak in a real process to the pager: demo, exporter, Prometheus, Alertmanager, and memwatch's own webhook."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from memwatch.alerts.webhook import verify
from tests.alerts.receiver import Receiver
from tests.monitoring.conftest import AlertmanagerServer, PrometheusServer
from tests.monitoring.files import MONITORING, ROOT, RULES, load
from tests.project.stack import Stack
from tests.servers import free_port

pytestmark = [pytest.mark.deployment, pytest.mark.prometheus]

TOKEN, SECRET = "token-of-the-chain", "secret-of-the-chain"
WITHIN_S = 600.0
"""A free machine needs two minutes; CI's may be slower."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Who is woken: by Alertmanager at /alertmanager, by memwatch itself at /memwatch."""
    with Receiver() as running:
        yield running


def alertmanager_settings(url: str) -> dict[str, Any]:
    """Ours, in a hurry, with a webhook for each receiver."""
    settings: dict[str, Any] = load(MONITORING / "alertmanager.yml")
    settings["route"] |= {"group_wait": "1s", "group_interval": "2s"}
    for receiver in settings["receivers"]:
        receiver["webhook_configs"] = [{"url": f"{url}/alertmanager/{receiver['name']}"}]
    return settings


def prometheus_settings(stack: Stack, standalone: int, alertmanager: int) -> dict[str, Any]:
    """Ours, in a hurry, with the addresses of the test."""
    settings: dict[str, Any] = load(MONITORING / "prometheus.yml")
    settings["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
    settings["rule_files"] = ["rules.yml"]
    settings["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
    fleet, web, alone = settings["scrape_configs"]
    fleet["static_configs"] = [{"targets": [f"127.0.0.1:{stack.exporter_port}"]}]
    web["static_configs"] = [{"targets": [f"127.0.0.1:{stack.port}"]}]
    alone["static_configs"] = [{"targets": [f"127.0.0.1:{standalone}"]}]
    del alone["file_sd_configs"]
    return settings


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)


def test_a_leak_in_the_demo_wakes_somebody(
    tmp_path: Path, migrated: Path, receiver: Receiver, prometheus_program: str, alertmanager_program: str
) -> None:
    prometheus, alertmanager = PrometheusServer(prometheus_program), AlertmanagerServer(alertmanager_program)
    standalone = free_port()
    stack = Stack(
        tmp_path,
        "--demo",
        MEMWATCH_SNAPSHOT_INTERVAL="1",
        MEMWATCH_METRICS_TOKEN=TOKEN,
        MEMWATCH_METRICS_ALLOW_LOOPBACK="off",
        MEMWATCH_ALERT_CHANNELS=f"memwatch.alerts.channels.log,{receiver.url}/memwatch",
        MEMWATCH_WEBHOOK_SECRET=SECRET,
        MEMWATCH_SITE_URL="https://ops.example.org",
    ).on_copy_of(migrated)
    exporter = subprocess.Popen(
        [
            sys.executable, "memory_exporter.py", "--port", str(standalone),
            "--transport", stack.environment["MEMWATCH_TRANSPORT"],
        ],
        cwd=ROOT / "monitoring" / "exporters", stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with stack:
            write(alertmanager.folder, {"alertmanager.yml": yaml.safe_dump(alertmanager_settings(receiver.url))})
            alertmanager.start()
            hasty = re.sub(r"(interval|for): \d+m", r"\1: 1s", RULES.read_text())
            settings = prometheus_settings(stack, standalone, alertmanager.port)
            files = {"prometheus.yml": yaml.safe_dump(settings), "rules.yml": hasty, "secrets/metrics_token": TOKEN}
            write(prometheus.folder, files)
            prometheus.start()

            stack.wait_for(lambda: len(prometheus.query("up == 1")) == 3, 120)
            assert prometheus.query("django_http_requests_before_middlewares_total")
            assert not prometheus.query('{job="web",__name__=~"memwatch_.+"}')
            shown = 'memwatch_exporter_source{job="memory-standalone",source="transport"}'
            assert prometheus.query(shown)
            stack.wait_for(lambda: prometheus.query('fogcompute_memory_rss_mb{job="memory-standalone"}'), 60)

            pages = stack.wait_for(lambda: woken_by_alertmanager(receiver), WITHIN_S)
            assert pages[0]["labels"]["service"] == "shop"
            assert pages[0]["labels"]["slot"].startswith("shop-")
            assert pages[0]["annotations"]["runbook_url"] == "docs/runbooks/MemoryLeakDetected.md"

            told = stack.wait_for(lambda: told_by_memwatch(receiver), 120)
            assert all(verify(SECRET, got.headers, got.body) for got in told)
            message = told[0].message
            assert message["state"] == "raised"
            assert message["url"].startswith("https://ops.example.org/admin/memwatch/leak/")
            assert message["service"] == "shop"
    finally:
        exporter.terminate()
        exporter.wait(15)
        prometheus.stop()
        alertmanager.stop()


def woken_by_alertmanager(receiver: Receiver) -> list[dict[str, Any]]:
    bodies = [got.message for got in receiver.got if got.path.startswith("/alertmanager/")]
    return [
        alert
        for body in bodies
        for alert in body["alerts"]
        if alert["labels"]["alertname"] == "MemoryLeakDetected" and alert["status"] == "firing"
    ]


def told_by_memwatch(receiver: Receiver) -> list[Any]:
    return [got for got in receiver.got if got.path == "/memwatch" and got.message["type"] == "leak"]
