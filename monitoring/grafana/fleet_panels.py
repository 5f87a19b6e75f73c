"""The fleet: what is in use, what is near its limit, what memwatch itself is doing."""

from __future__ import annotations

from panels import FLEET, SLOT, Panel, container_percent, stat

_UNWANTED = 'service=~"$service",reason!~"recycled|recycled_by_memwatch|stopped"'
_DEATHS = f"memwatch_process_deaths_total{{{_UNWANTED}}}"
_RECYCLES = 'memwatch_recycles_total{service=~"$service"}'


def _in_an_hour(counter: str) -> str:
    """Not increase(): a service's series begins with its first death, of which increase() knows nothing."""
    none_yet = f"0 * {counter} and on (job, instance) memwatch_up offset 1h"
    return f"{counter} - ({counter} offset 1h or {none_yet})"


PANELS = (
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
            (f"max by (host) ({container_percent(FLEET)})", "{{host}}"),
        ],
        unit="percent",
        warn=80,
        critical=90,
        text="Its processes share it; the kernel kills one of them at 100 %.",
    ),
    Panel(
        title="Deaths by service and reason, of an hour",
        queries=[
            (f"sum by (service, reason) ({_in_an_hour(_DEATHS)}) > 0", "{{service}}: {{reason}}"),
        ],
        text="Killed, crashed or fallen silent. The page Deaths of the admin says what each process was doing.",
    ),
    Panel(
        title="Workers that policies chose to recycle, of an hour",
        queries=[
            (f"sum by (service, result) ({_in_an_hour(_RECYCLES)}) > 0", "{{service}}: {{result}}"),
            (
                'sum by (service) (memwatch_recycling_stopped{service=~"$service"}) > 0',
                "{{service}}: has stopped itself",
            ),
        ],
        text="What became of each. The page Recycling of the admin says why it was chosen and what it gained.",
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
            (
                "sum by (channel) (increase(memwatch_notification_attempts_failed_total[1h]))",
                "attempts failed: {{channel}}",
            ),
            ("sum by (channel) (increase(memwatch_notifications_failed_total[1h]))", "messages not told: {{channel}}"),
        ],
    ),
)
