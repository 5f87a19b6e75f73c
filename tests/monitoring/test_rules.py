"""The alert rules: Prometheus takes them, they fire on what they are for, and each says what to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from memwatch.exposition import families
from tests.monitoring.files import (
    DASHBOARDS,
    METRIC,
    MONITORING,
    RECORD,
    ROOT,
    RULE_TESTS,
    RULES,
    RUNBOOKS,
    Rule,
    alerts,
    dashboard_expressions,
    load,
    recordings,
    rules,
    whole_observation,
)
from tests.monitoring.test_reference import ALERTS

OWN = {
    "MemoryContainerNearLimit",
    "MemwatchCollectorFailing",
    "MemwatchJobPeak",
    "MemwatchNoSnapshots",
    "MemwatchNotificationsFailing",
    "MemwatchProcessKilled",
    "MemwatchRecyclingUseless",
    "MemwatchReleaseGrew",
    "MemwatchReportsDropped",
    "MemwatchSpoolNearlyFull",
}

SELDOM_COLLECTED = {**os.environ, "GOGC": "800"}
"""promtool spends a fifth of its time on Go's collector otherwise."""

each_alert = pytest.mark.parametrize("alert", alerts(), ids=str)


def run(*command: str | Path) -> None:
    done = subprocess.run(
        [str(item) for item in command], env=SELDOM_COLLECTED, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.prometheus
def test_prometheus_takes_the_rules(promtool: str) -> None:
    run(promtool, "check", "rules", RULES)


@pytest.mark.prometheus
def test_prometheus_takes_the_configuration(promtool: str) -> None:
    run(promtool, "check", "config", MONITORING / "prometheus.yml")


@pytest.mark.prometheus
def test_alerts_fire_on_what_they_are_for_and_in_no_healthy_life(promtool: str) -> None:
    run(promtool, "test", "rules", RULE_TESTS)


def test_nothing_else_alerts_but_the_watch_on_the_watching_and_the_container() -> None:
    assert {alert.name for alert in alerts()} == {row[0] for row in ALERTS} | OWN


@each_alert
def test_an_alert_says_how_bad_what_how_much_and_where_to_read_on(alert: Rule) -> None:
    assert alert.severity in ("warning", "critical")
    annotations = alert.fields["annotations"]
    assert annotations["summary"]
    assert "$value" in annotations["description"]
    page = ROOT / annotations["runbook_url"]
    assert page == RUNBOOKS / f"{alert.name}.md"
    assert page.read_text().startswith(f"# {alert.name}\n")


@each_alert
def test_an_alert_has_a_case_in_which_it_fires_and_one_in_which_it_must_not(alert: Rule) -> None:
    cases = [case for test in load(RULE_TESTS)["tests"] for case in test["alert_rule_test"]]
    own = [case for case in cases if case["alertname"] == alert.name]
    labels = alert.fields["labels"].items()
    assert any(labels <= expected["exp_labels"].items() for case in own for expected in case["exp_alerts"])
    assert any(not case["exp_alerts"] for case in own)


def test_every_alert_is_silent_in_every_healthy_life() -> None:
    names = {alert.name for alert in alerts()}
    lives = [test for test in load(RULE_TESTS)["tests"] if " - " in test["name"] and test["name"][0].islower()]
    assert [test["name"].partition(" - ")[0] for test in lives] == [
        "warm-up", "saw-tooth of 50 minutes", "saw-tooth of 4 hours", "restart every 2 hours", "day curve", "step",
    ]  # fmt: skip
    for test in lives:
        assert {case["alertname"] for case in test["alert_rule_test"] if not case["exp_alerts"]} == names


def test_every_page_of_the_runbooks_belongs_to_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {alert.name for alert in alerts()}


def test_rules_and_dashboards_read_only_what_the_exporters_show() -> None:
    shown = {sample.name for family in families(whole_observation()) for sample in family.samples}
    records = {rule.name for rule in recordings()}
    texts = [rule.fields["expr"] for rule in rules()] + [path.read_text() for path in DASHBOARDS.glob("*.json")]
    for text in texts:
        assert set(METRIC.findall(text)) <= shown
        assert set(RECORD.findall(text)) <= records


def test_every_recording_is_read_by_an_alert_or_a_dashboard() -> None:
    expressions = [rule.fields["expr"] for rule in rules()] + [expr for _where, expr in dashboard_expressions()]
    assert {rule.name for rule in recordings()} <= {name for text in expressions for name in RECORD.findall(text)}
