"""Writes the dashboards as JSON into ``dashboards/``: ``python monitoring/grafana/make_dashboards.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from panels import SOURCE, Panel, stat

FOLDER = Path(__file__).resolve().parent / "dashboards"
WIDTH, HEIGHT, STAT_HEIGHT = 24, 8, 4

FLEET = 'service=~"$service",host=~"$host"'
PROCESS = 'service="$service",host="$host",slot="$slot"'
SLOT = "{{slot}} on {{host}}"


def _container_percent(which: str) -> str:
    return f"100 * memwatch_container_working_set_bytes{{{which}}} / memwatch_container_limit_bytes{{{which}}}"


FLEET_PANELS = (
    stat("Processes", f"count(memwatch_process_start_time_seconds{{{FLEET}}})"),
    stat("Open leaks", f"sum(memwatch_leaks_open{{{FLEET}}})", warn=1, critical=5),
    stat("Alerts firing", 'count(ALERTS{alertstate="firing"}) or vector(0)', warn=1, critical=5),
    stat("Resident memory", f"sum(memwatch_process_resident_memory_bytes{{{FLEET}}})", unit="bytes"),
    stat("Snapshots a minute", "sum(rate(memwatch_snapshots_ingested_total[5m])) * 60"),
    stat(
        "Oldest snapshot",
        f"max(time() - memwatch_last_snapshot_timestamp_seconds{{{FLEET}}})",
        unit="s",
        warn=300,
        critical=1800,
    ),
    Panel(
        title="Resident memory by service",
        queries=[(f"sum by (service) (memwatch_process_resident_memory_bytes{{{FLEET}}})", "{{service}}")],
        unit="bytes",
        text="Pages shared after a fork count in every child.",
    ),
    Panel(
        title="Containers: share of the memory limit",
        queries=[
            (f"max by (host) ({_container_percent(FLEET)})", "{{host}}"),
        ],
        unit="percent",
        warn=80,
        critical=90,
        text="Its processes share it; the kernel kills one of them at 100 %.",
    ),
    Panel(
        title="Fullest heaps",
        queries=[(f"topk(10, fogcompute_memory_heap_percent{{{FLEET}}})", SLOT)],
        unit="percent",
        warn=80,
        critical=90,
        per_process=True,
    ),
    Panel(
        title="Fastest growing processes, MB an hour",
        queries=[(f"topk(10, deriv(memwatch:rss_mb:min15m{{{FLEET}}}[1h]) * 3600)", SLOT)],
        unit="short",
        warn=100,
        critical=500,
        per_process=True,
        text="The slope of the least resident memory of 15 minutes: peaks do not count.",
    ),
    Panel(
        title="Open leaks by severity",
        queries=[(f"sum by (severity) (memwatch_leaks_open{{{FLEET}}})", "{{severity}}")],
    ),
    Panel(
        title="Furthest from their baseline",
        queries=[(f"topk(10, fogcompute_memory_baseline_drift_percent{{{FLEET}}})", SLOT)],
        unit="percent",
        warn=50,
        critical=100,
        per_process=True,
    ),
    Panel(
        title="Leaks that run out of memory, soonest first",
        queries=[(f"sort(memwatch_leak_time_to_exhaustion_seconds{{{FLEET}}})", "")],
        unit="s",
        kind="table",
    ),
    Panel(
        title="Most frequent types",
        queries=[(f"topk(20, sum by (object_type) (fogcompute_memory_object_count{{{FLEET}}}))", "")],
        kind="table",
    ),
    Panel(
        title="On the way: reports that wait, and their room",
        queries=[
            ("memwatch_transport_backlog", "reports waiting"),
            ("100 * memwatch_transport_used_bytes / memwatch_transport_limit_bytes", "% of the room"),
        ],
    ),
    Panel(
        title="Lost, by the hour",
        queries=[
            ("sum(increase(memwatch_snapshots_dropped_total[1h]))", "snapshots dropped by agents"),
            ("sum(increase(memwatch_transport_lost_total[1h]))", "reports lost in the transport"),
            ("sum by (reason) (increase(memwatch_reports_rejected_total[1h]))", "reports rejected: {{reason}}"),
            ("sum(increase(memwatch_sampling_failures_total[1h]))", "samplings failed"),
        ],
    ),
)

PROCESS_PANELS = (
    stat("Running for", f"time() - memwatch_process_start_time_seconds{{{PROCESS}}}", unit="s"),
    stat("Heap", f"fogcompute_memory_heap_percent{{{PROCESS}}}", unit="percent", warn=80, critical=90),
    stat("Resident memory", f"memwatch_process_resident_memory_bytes{{{PROCESS}}}", unit="bytes"),
    stat("Above its baseline", f"fogcompute_memory_baseline_drift_percent{{{PROCESS}}}", unit="percent", warn=50),
    stat("Open leaks", f"fogcompute_memory_active_leaks{{{PROCESS}}}", warn=1, critical=3),
    stat("Last snapshot", f"time() - memwatch_last_snapshot_timestamp_seconds{{{PROCESS}}}", unit="s", warn=300),
    Panel(
        title="Memory of the process",
        queries=[
            (f"memwatch_process_resident_memory_bytes{{{PROCESS}}}", "resident (RSS)"),
            (f"memwatch_process_proportional_memory_bytes{{{PROCESS}}}", "shared pages divided (PSS)"),
            (f"memwatch_process_unique_memory_bytes{{{PROCESS}}}", "shared with nobody (USS)"),
            (f"memwatch_process_swap_bytes{{{PROCESS}}}", "swapped out"),
            (f"1024 * 1024 * memwatch:rss_mb:min15m{{{PROCESS}}}", "resident, least of 15 minutes"),
        ],
        unit="bytes",
    ),
    Panel(
        title="Heap",
        queries=[
            (f"memwatch_heap_used_bytes{{{PROCESS}}}", "used"),
            (f"memwatch_heap_committed_bytes{{{PROCESS}}}", "taken from the system"),
            (f"memwatch_heap_limit_bytes{{{PROCESS}}}", "may grow to"),
        ],
        unit="bytes",
    ),
    Panel(
        title="Objects",
        queries=[
            (f"fogcompute_memory_total_objects{{{PROCESS}}}", "tracked objects"),
            (f"memwatch_allocated_blocks{{{PROCESS}}}", "allocated blocks"),
        ],
        text="Blocks that rise while objects stand still are str, bytes or numbers that pile up.",
    ),
    Panel(
        title="Types: the largest",
        queries=[(f"topk(15, fogcompute_memory_object_count{{{PROCESS}}})", "{{object_type}}")],
    ),
    Panel(
        title="Types: growth in an hour",
        queries=[(f"topk(15, delta(fogcompute_memory_object_count{{{PROCESS}}}[1h]))", "{{object_type}}")],
        text="A sudden fall of all is a restart: slots are reused.",
    ),
    Panel(
        title="Garbage collections a minute",
        queries=[
            (
                f"rate(fogcompute_memory_gc_collections_total{{{PROCESS}}}[10m]) * 60",
                "generation {{generation}}",
            )
        ],
    ),
    Panel(
        title="Container: share of the memory limit",
        queries=[
            (_container_percent(PROCESS), "container"),
            (f"fogcompute_memory_heap_percent{{{PROCESS}}}", "heap of this process"),
        ],
        unit="percent",
        warn=80,
        critical=90,
    ),
    Panel(
        title="Fragmentation of the heap",
        queries=[(f"memwatch_heap_fragmentation_ratio{{{PROCESS}}}", "free share of what was taken")],
        unit="percentunit",
        text="It can be used again: it is no leak.",
    ),
    Panel(
        title="Requests and tasks a second",
        queries=[
            (f"rate(memwatch_requests_handled_total{{{PROCESS}}}[10m])", "requests"),
            (f"rate(memwatch_tasks_handled_total{{{PROCESS}}}[10m])", "tasks"),
        ],
    ),
    Panel(
        title="What watching costs",
        queries=[
            (f"memwatch_census_pause_seconds{{{PROCESS}}}", "longest pause of the last census"),
            (f"memwatch_snapshot_cpu_seconds{{{PROCESS}}}", "CPU of the last snapshot"),
        ],
        unit="s",
    ),
    Panel(
        title="Traced memory",
        queries=[
            (f"1024 * 1024 * fogcompute_memory_tracemalloc_current_mb{{{PROCESS}}}", "now"),
            (f"1024 * 1024 * fogcompute_memory_tracemalloc_peak_mb{{{PROCESS}}}", "peak"),
        ],
        unit="bytes",
        text="0 unless tracemalloc is on.",
    ),
    Panel(
        title="Its leaks",
        queries=[(f"sort(memwatch_leak_time_to_exhaustion_seconds{{{PROCESS}}})", "")],
        unit="s",
        kind="table",
        text="Those that are foreseen to run out of memory, and when.",
    ),
)


def _places(panels: Sequence[Panel]) -> Iterator[dict[str, int]]:
    """Numbers in a row of their own above, then two panels a row."""
    numbers = [panel for panel in panels if panel.kind == "stat"]
    for at in range(len(numbers)):
        width = WIDTH // len(numbers)
        yield {"x": at * width, "y": 0, "w": width, "h": STAT_HEIGHT}
    for at in range(len(panels) - len(numbers)):
        yield {"x": at % 2 * WIDTH // 2, "y": STAT_HEIGHT + at // 2 * HEIGHT, "w": WIDTH // 2, "h": HEIGHT}


def _variable(name: str, among: str, *, several: bool) -> dict[str, Any]:
    """A label of the processes, of those that the variables before it leave."""
    query = f"label_values(memwatch_process_start_time_seconds{{{among}}}, {name})"
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
    process = [
        _variable("service", "", several=False),
        _variable("host", 'service="$service"', several=False),
        _variable("slot", 'service="$service",host="$host"', several=False),
    ]
    return {
        "fleet.json": _dashboard("memwatch-fleet", "Memory: the fleet", FLEET_PANELS, fleet),
        "process.json": _dashboard("memwatch-process", "Memory: one process", PROCESS_PANELS, process),
    }


def rendered(dashboard: dict[str, Any]) -> str:
    """As it lies in the file."""
    return json.dumps(dashboard, indent=1) + "\n"


if __name__ == "__main__":
    for name, dashboard in dashboards().items():
        (FOLDER / name).write_text(rendered(dashboard))
