"""What a panel of a dashboard is, and how it looks in Grafana's JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
"""The data source that is chosen above."""

FLEET = 'service=~"$service",host=~"$host"'
PROCESS = 'service="$service",host="$host",slot="$slot"'
SLOT = "{{slot}} on {{host}}"
"""Selectors by the variables of the pages, and the legend of one process."""

PROCESS_PAGE = (
    "/d/memwatch-process?var-service=${__field.labels.service}&var-host=${__field.labels.host}"
    "&var-slot=${__field.labels.slot}&${__url_time_range}"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: queries as (expression, legend), ``unit`` by Grafana's names."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    text: str = ""
    warn: float | None = None
    critical: float | None = None
    per_process: bool = False
    """Whether its series carry service, host and slot, and lead to the page of the process."""

    def as_json(self, number: int, place: dict[str, int]) -> dict[str, Any]:
        made: dict[str, Any] = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.text,
            "datasource": SOURCE,
            "gridPos": place,
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "targets": [self._target(at, expression, legend) for at, (expression, legend) in enumerate(self.queries)],
        }
        if self.kind == "timeseries":
            made["options"] = {
                "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        elif self.kind == "stat":
            made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value"}
        else:
            hidden = dict.fromkeys(("Time", "__name__", "job", "instance"), True)
            made["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
        return made

    def _defaults(self) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.warn is not None:
            steps.append({"color": "orange", "value": self.warn})
        if self.critical is not None:
            steps.append({"color": "red", "value": self.critical})
        defaults: dict[str, Any] = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}}
        if self.kind == "timeseries":
            style = "off" if len(steps) == 1 else "dashed"
            defaults["custom"] = {"fillOpacity": 0, "showPoints": "never", "thresholdsStyle": {"mode": style}}
        if self.per_process:
            defaults["links"] = [{"title": "This process", "url": PROCESS_PAGE}]
        return defaults

    def _target(self, at: int, expression: str, legend: str) -> dict[str, Any]:
        target: dict[str, Any] = {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expression}
        if self.kind == "table":
            return {**target, "format": "table", "instant": True}
        return {**target, "legendFormat": legend}


def stat(title: str, expression: str, **options: Any) -> Panel:
    """One number."""
    return Panel(title=title, queries=[(expression, "")], kind="stat", **options)


def container_percent(which: str) -> str:
    """How full the containers of these processes are, of their memory limit."""
    return f"100 * memwatch_container_working_set_bytes{{{which}}} / memwatch_container_limit_bytes{{{which}}}"
