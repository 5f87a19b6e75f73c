"""What lies in ``monitoring/``, read."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from memwatch.exposition import NOTIFICATIONS, TOTALS
from memwatch.exposition.processes import OWN_FIGURES, REFERENCE_FIGURES
from memwatch.observation import FLEET, Backlog, Observation, Observed, ObservedWork, OpenLeak
from memwatch.records import SEVERITIES, MemorySnapshot

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "monitoring"
RULES = MONITORING / "alerting" / "memory_alerts.yml"
RULE_TESTS = MONITORING / "alerting" / "memory_alerts_test.yml"
DASHBOARDS = MONITORING / "grafana" / "dashboards"
RUNBOOKS = ROOT / "docs" / "runbooks"

METRIC = re.compile(r"\b(?:fogcompute_memory|memwatch)_\w+")
RECORD = re.compile(r"\bmemwatch:[\w:]+")


@dataclasses.dataclass(frozen=True)
class Rule:
    """An alert or a recording, as it lies in the file."""

    group: str
    fields: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.fields.get("alert") or self.fields["record"])

    @property
    def severity(self) -> str:
        return str(self.fields["labels"]["severity"])

    def __str__(self) -> str:
        where = self.fields.get("labels", {})
        return "-".join([self.name, *(str(value) for value in where.values())])


def load(path: Path) -> Any:
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(), Loader=fast)


def rules() -> list[Rule]:
    return [Rule(group["name"], fields) for group in load(RULES)["groups"] for fields in group["rules"]]


def alerts() -> list[Rule]:
    return [rule for rule in rules() if "alert" in rule.fields]


def recordings() -> list[Rule]:
    return [rule for rule in rules() if "record" in rule.fields]


def dashboard_expressions() -> Iterator[tuple[str, str]]:
    """(where, expression) of every panel and variable."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(path.read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']} {target['refId']}", target["expr"]


def whole_observation() -> Observation:
    """A fleet of which everything is known: each name has a sample."""
    now = datetime.now(UTC)
    known = [*REFERENCE_FIGURES, *(attribute for _name, attribute, _factor, _text in OWN_FIGURES)]
    figures = MemorySnapshot(timestamp=now, top_objects={"dict": 9000}, **dict.fromkeys(known, 5))  # type: ignore[arg-type]
    process = Observed(
        labels={"service": "web", "host": "a", "slot": "web-1"},
        started_at=now - timedelta(hours=30),
        figures=figures,
        release="2.4",
        python="3.11.7",
        drift_percent=12.5,
        leaks={"high": 1},
        growth_kib_per_hour=2048,
        leaks_known=True,
    )
    return Observation(
        source=FLEET,
        processes=[process],
        service_leaks=[({"service": "worker", "host": "", "slot": ""}, {"low": 1})],
        open_leaks=[
            OpenLeak(labels=process.labels, kind="objects", object_type="dict", seconds=3600, growth_per_hour=500)
        ],
        work=[
            ObservedWork(
                labels={"service": "web", "kind": "task", "name": "shop.tasks.sync"},
                calls=100,
                kept_bytes=1_000_000,
                peak_bytes=50_000_000,
            )
        ],
        deaths=[({"service": "web", "reason": "oom_process"}, 1)],
        recycles=[({"service": "web", "reason": "limit", "result": "recycled"}, 1)],
        recycling=[({"service": "web"}, True)],
        anomaly_scores=[
            ({"service": "web", "host": "a", "slot": "web-1"}, 60.0),
            ({"service": "web", "host": "", "slot": ""}, 30.0),
        ],
        anomalies_open=2,
        release_changes=[
            ({"service": "web", "release": "2.4", "figure": "rss_birth"}, 150e6),
            ({"service": "web", "release": "2.4", "figure": "growth_per_hour"}, 3e6),
        ],
        notifications={became: {"mailto:ops@example.org": 1} for became in NOTIFICATIONS},
        leak_detections=dict.fromkeys(SEVERITIES, 1),
        rejected_reports={"malformed": 1},
        totals=dict.fromkeys(TOTALS, 100),
        backlog=Backlog(reports=3, oldest_s=2.0, lost=1, used_bytes=10, limit_bytes=100),
    )
