"""A real Prometheus scrapes memwatch's exporter; a real Alertmanager gets what fires."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from memwatch.exposition import families
from memwatch.metrics.rendered_page import Page
from memwatch.metrics.server import MetricsServer
from tests.monitoring.conftest import AlertmanagerServer, PrometheusServer
from tests.monitoring.files import MONITORING, RULES, alerts, dashboard_expressions, load, recordings, whole_observation
from tests.waiting import until

pytestmark = [pytest.mark.deployment, pytest.mark.prometheus]


@pytest.fixture(scope="module")
def prometheus(prometheus_program: str) -> Iterator[PrometheusServer]:
    """With our configuration, all times a second, and the whole exposition to scrape."""
    exporter = MetricsServer(lambda: Page(families(whole_observation())), port=0)
    server = PrometheusServer(prometheus_program)
    settings = load(MONITORING / "prometheus.yml")
    settings["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    fleet_job, *_others = settings["scrape_configs"]
    del fleet_job["authorization"]  # a loopback exporter wants no token
    fleet_job["static_configs"] = [{"targets": [f"127.0.0.1:{exporter.port}"]}]
    settings["scrape_configs"] = [fleet_job]
    settings["rule_files"] = ["memory_alerts.yml"]
    del settings["alerting"]
    (server.folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    hasty = re.sub(r"(interval|for): \d+m", r"\1: 1s", RULES.read_text())
    (server.folder / "memory_alerts.yml").write_text(hasty)
    try:
        server.start()
        until(lambda: len(server.query("count_over_time(memwatch:rss_mb:min15m[1m]) > 4")) == 1)
        yield server
    finally:
        server.stop()
        exporter.stop()


def test_every_rule_is_evaluated_without_an_error(prometheus: PrometheusServer) -> None:
    groups = prometheus.get("/api/v1/rules")["data"]["groups"]
    states = [(rule["name"], rule["health"], rule.get("lastError", "")) for group in groups for rule in group["rules"]]
    assert [state for state in states if state[1:] != ("ok", "")] == []
    assert len(states) == len(alerts()) + len(recordings())


def test_every_recording_has_a_sample(prometheus: PrometheusServer) -> None:
    late = {rule.name for rule in recordings() if ":new_high" in rule.name}  # of what has no past everything is one
    quiet = {"memwatch:process_deaths:increase15m"}  # only where processes died lately: test_rules has some
    for name in sorted({rule.name for rule in recordings()} - late - quiet):
        assert prometheus.query(name), name
    assert all(prometheus.query(name) for name in late)


@pytest.mark.parametrize(("where", "expression"), list(dashboard_expressions()), ids=lambda value: str(value)[:40])
def test_every_expression_of_the_dashboards_gives_data(
    prometheus: PrometheusServer, where: str, expression: str
) -> None:
    chosen = {"service": "web", "host": "a", "slot": "web-1"}
    filled = re.sub(r'=~"\$\w+"', '=~".*"', expression)  # as with "All"
    filled = re.sub(r"\$(\w+)", lambda match: chosen[match[1]], filled)
    filled = re.sub(r"offset \d+[hd]\b", "offset 1s", filled).removesuffix(" > 0")  # there is no past of hours
    assert until(lambda: prometheus.query(filled)), where


def test_an_open_leak_fires(prometheus: PrometheusServer) -> None:
    def fired() -> set[tuple[str, str, str]]:
        return {
            (alert["labels"]["service"], alert["labels"]["severity"], alert["annotations"]["description"])
            for alert in prometheus.get("/api/v1/alerts")["data"]["alerts"]
            if alert["labels"]["alertname"] == "MemoryLeakDetected" and alert["state"] == "firing"
        }

    assert until(lambda: len(fired()) == 2 and fired()) == {
        (
            "web",
            "critical",
            "web-1 on a has 1 open leak(s) of severity high or critical, neither snoozed nor suppressed.",
        ),
        ("worker", "warning", "worker has 1 open leak(s) of severity low or medium, neither snoozed nor suppressed."),
    }


@pytest.fixture(scope="module")
def alertmanager(alertmanager_program: str) -> Iterator[AlertmanagerServer]:
    """With our configuration."""
    server = AlertmanagerServer(alertmanager_program)
    (server.folder / "alertmanager.yml").write_text((MONITORING / "alertmanager.yml").read_text())
    try:
        server.start()
        yield server
    finally:
        server.stop()


WEB_1 = {"job": "memory-profiler", "instance": "fog", "service": "web", "host": "a", "slot": "web-1"}
WEB_2 = {**WEB_1, "slot": "web-2"}
CONTAINER = {"job": "memory-profiler", "instance": "fog", "host": "a"}
EXPORTER = {"job": "memory-profiler", "instance": "fog"}


@pytest.mark.parametrize(
    ("critical", "warning", "silenced"),
    [
        (("MemoryGrowthRateCritical", WEB_1), ("MemoryGrowthRateHigh", WEB_1), True),
        (("MemoryGrowthRateCritical", WEB_1), ("MemoryGrowthRateHigh", WEB_2), False),
        (("MemoryLeakDetected", WEB_1), ("MemoryLeakDetected", WEB_1), True),
        (("MemoryContainerNearLimit", CONTAINER), ("MemoryContainerNearLimit", CONTAINER), True),
        (("MemoryContainerNearLimit", CONTAINER), ("MemoryGCSpike", WEB_1), False),
        (("MemwatchNoSnapshots", EXPORTER), ("MemwatchNoSnapshots", WEB_1), True),
        (("MemwatchCollectorFailing", EXPORTER), ("MemwatchSpoolNearlyFull", EXPORTER), True),
        (("MemwatchCollectorFailing", EXPORTER), ("MemoryGCSpike", WEB_1), False),
    ],
)
def test_a_warning_is_silent_under_the_critical_alert_of_the_same_thing(
    alertmanager: AlertmanagerServer,
    critical: tuple[str, dict[str, str]],
    warning: tuple[str, dict[str, str]],
    silenced: bool,
) -> None:
    now = datetime.now(UTC)
    witness = "MemwatchNoSnapshots" if critical[0].startswith("Memwatch") else "MemoryGrowthRateHigh"
    posted = [
        {"labels": {**critical[1], "alertname": critical[0], "severity": "critical", "part": "critical"}},
        {"labels": {**warning[1], "alertname": warning[0], "severity": "warning", "part": "warning"}},
        {"labels": {**critical[1], "alertname": witness, "severity": "warning", "part": "witness"}},
    ]
    alertmanager.post("/api/v2/alerts", [{**alert, "startsAt": now.isoformat()} for alert in posted])
    try:
        states = until(lambda: _states(alertmanager))  # the witness is silenced: the critical alert is known by then
        assert states["critical"] == "active"
        assert states["warning"] == ("suppressed" if silenced else "active")
    finally:
        over = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(milliseconds=1)).isoformat()}
        alertmanager.post("/api/v2/alerts", [{**alert, **over} for alert in posted])
        until(lambda: not alertmanager.get("/api/v2/alerts"))


def _states(alertmanager: AlertmanagerServer) -> dict[str, str] | None:
    found = {alert["labels"]["part"]: alert["status"]["state"] for alert in alertmanager.get("/api/v2/alerts")}
    settled = len(found) == 3 and found["witness"] == "suppressed" and "unprocessed" not in found.values()
    return found if settled else None
