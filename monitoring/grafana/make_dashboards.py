"""Writes the dashboards as JSON into ``dashboards/``: ``python monitoring/grafana/make_dashboards.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import fleet_panels
import leaks_panels
import process_panels
import releases_panels
import work_panels
from panels import SOURCE, Panel

FOLDER = Path(__file__).resolve().parent / "dashboards"
WIDTH, HEIGHT, STAT_HEIGHT = 24, 8, 4


def _places(panels: Sequence[Panel]) -> Iterator[dict[str, int]]:
    """Numbers in a row of their own above, then two panels a row."""
    numbers = [panel for panel in panels if panel.kind == "stat"]
    for at in range(len(numbers)):
        width = WIDTH // len(numbers)
        yield {"x": at * width, "y": 0, "w": width, "h": STAT_HEIGHT}
    for at in range(len(panels) - len(numbers)):
        yield {"x": at % 2 * WIDTH // 2, "y": STAT_HEIGHT + at // 2 * HEIGHT, "w": WIDTH // 2, "h": HEIGHT}


def _variable(
    name: str, among: str, *, several: bool, source: str = "memwatch_process_start_time_seconds"
) -> dict[str, Any]:
    """A label of the processes, of those that the variables before it leave."""
    query = f"label_values({source}{{{among}}}, {name})"
    made = {
        "name": name,
        "label": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
    }
    if several:  # .* and not the list of all: leaks of a whole service have no host
        made |= {"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}
    return made


def _dashboard(uid: str, title: str, panels: Sequence[Panel], variables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    source = {"name": "datasource", "label": "data source", "type": "datasource", "query": "prometheus"}
    places = _places(panels)
    return {
        "uid": uid,
        "title": title,
        "tags": ["memwatch"],
        "schemaVersion": 39,
        "editable": False,
        "timezone": "",
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["memwatch"], "title": "memwatch", "asDropdown": True}],
        "templating": {"list": [source, *variables]},
        "panels": [panel.as_json(number, next(places)) for number, panel in enumerate(panels, 1)],
    }


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard by the name of its file."""
    fleet = [_variable("service", "", several=True), _variable("host", 'service=~"$service"', several=True)]
    releases = [
        _variable("service", "", several=True),
        _variable("release", 'service=~"$service"', several=True, source="memwatch_process_info"),
    ]
    process = [
        _variable("service", "", several=False),
        _variable("host", 'service="$service"', several=False),
        _variable("slot", 'service="$service",host="$host"', several=False),
    ]
    calls = "memwatch_work_calls_total"
    work = [
        _variable("service", "", several=True, source=calls),
        _variable("kind", 'service=~"$service"', several=True, source=calls),
    ]
    return {
        "fleet.json": _dashboard("memwatch-fleet", "Memory: the fleet", fleet_panels.PANELS, fleet),
        "leaks.json": _dashboard("memwatch-leaks", "Memory: leaks", leaks_panels.PANELS, fleet),
        "releases.json": _dashboard("memwatch-releases", "Memory: releases", releases_panels.PANELS, releases),
        "process.json": _dashboard("memwatch-process", "Memory: one process", process_panels.PANELS, process),
        "work.json": _dashboard("memwatch-work", "Memory: work", work_panels.PANELS, work),
    }


def rendered(dashboard: dict[str, Any]) -> str:
    """As it lies in the file."""
    return json.dumps(dashboard, indent=1) + "\n"


if __name__ == "__main__":
    for name, dashboard in dashboards().items():
        (FOLDER / name).write_text(rendered(dashboard))
