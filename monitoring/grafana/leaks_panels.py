"""Leaks: which are open, how fast they grow, when they run out of memory, what comes and goes."""

from __future__ import annotations

from panels import FLEET, SLOT, Panel, stat

_LEAK = "{{object_type}}: {{service}} {{slot}} {{host}}"
_OPEN = f"sum without (severity) (memwatch_leaks_open{{{FLEET}}}) > 0"
_SAME_PROCESS = "on (job, instance, service, host, slot)"
_SAME_TYPE = "on (job, instance, service, host, slot, object_type)"

PANELS = (
    stat("Open leaks", f"sum(memwatch_leaks_open{{{FLEET}}})", warn=1, critical=5),
    stat(
        "High or critical",
        f'sum(memwatch_leaks_open{{{FLEET},severity=~"high|critical"}})',
        warn=1,
        critical=1,
    ),
    stat("Processes that leak", f"count({_OPEN}) or vector(0)", warn=1, critical=5),
    stat("Detected in a day", "sum(increase(fogcompute_memory_leak_detections_total[1d]))"),
    stat("First to run out", f"min(memwatch_leak_time_to_exhaustion_seconds{{{FLEET}}})", unit="s"),
    stat(
        "Alerts of leaks",
        'count(ALERTS{alertname="MemoryLeakDetected",alertstate="firing"}) or vector(0)',
        warn=1,
        critical=5,
    ),
    Panel(
        title="Open leaks by severity",
        queries=[(f"sum by (severity) (memwatch_leaks_open{{{FLEET}}})", "{{severity}}")],
    ),
    Panel(
        title="Open leaks by service",
        queries=[(f"sum by (service) (memwatch_leaks_open{{{FLEET}}})", "{{service}}")],
    ),
    Panel(
        title="Run out of memory, soonest first",
        queries=[(f"sort(memwatch_leak_time_to_exhaustion_seconds{{{FLEET}}})", "")],
        unit="s",
        kind="table",
        text="At the rate of now. Leaks without an end in sight are not listed.",
    ),
    Panel(
        title="Grow fastest, an hour",
        queries=[(f"sort_desc(memwatch_leak_growth_per_hour{{{FLEET}}})", "")],
        kind="table",
        text="Objects or blocks; KiB for native memory. Snoozed and suppressed leaks are not listed.",
    ),
    Panel(
        title="Objects of the types that leak",
        queries=[
            (
                f"topk(15, fogcompute_memory_object_count{{{FLEET}}} and {_SAME_TYPE} memwatch_leak_growth_per_hour)",
                _LEAK,
            )
        ],
        per_process=True,
    ),
    Panel(
        title="Memory of the processes that leak",
        queries=[(f"memwatch_process_resident_memory_bytes{{{FLEET}}} and {_SAME_PROCESS} ({_OPEN})", SLOT)],
        unit="bytes",
        per_process=True,
    ),
    Panel(
        title="Time left",
        queries=[(f"memwatch_leak_time_to_exhaustion_seconds{{{FLEET}}}", _LEAK)],
        unit="s",
        per_process=True,
    ),
    Panel(
        title="Detected, by the hour",
        queries=[("sum by (severity) (increase(fogcompute_memory_leak_detections_total[1h]))", "{{severity}}")],
        text="Each leak at the severity it was found with; a reopened one counts again.",
    ),
)
