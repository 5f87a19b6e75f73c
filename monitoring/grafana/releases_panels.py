"""Releases side by side: what a new version of the code does to memory."""

from __future__ import annotations

from panels import Panel, stat

RELEASE = 'service=~"$service",release=~"$release"'
_BY = "{{service}} {{release}}"
_CHANGE = "memwatch_release_change_bytes"
_INFO = f"memwatch_process_info{{{RELEASE}}}"


def _with_release(expression: str) -> str:
    """The expression's series with the release of their process."""
    return f"({expression}) * on (job, instance, service, host, slot) group_left (release) {_INFO}"


def _by_release(function: str, expression: str) -> str:
    return f"{function} by (service, release) ({_with_release(expression)})"


PANELS = (
    stat("Releases that run", f"count(count by (service, release) ({_INFO}))"),
    stat("Processes", f"count({_INFO})"),
    stat(
        "Newest process",
        f"min({_with_release('time() - memwatch_process_start_time_seconds')})",
        unit="s",
    ),
    stat("Open leaks", f"sum({_with_release('sum without (severity) (memwatch_leaks_open)')})", warn=1, critical=5),
    Panel(
        title="Processes by release",
        queries=[(f"count by (service, release) ({_INFO})", _BY)],
        text="A roll-out replaces one line by another.",
    ),
    Panel(
        title="More memory than in the release before, of a worker",
        queries=[(f'{_CHANGE}{{{RELEASE},figure=~"rss_birth|rss_later"}}', f"{_BY} {{{{figure}}}}")],
        unit="bytes",
        text="The verdict over the processes of both releases, at birth and at the same age later; 0: no change. "
        "No line: not known, or not clear. The page of the release names the packages.",
        warn=64 * 2**20,
        critical=256 * 2**20,
    ),
    Panel(
        title="More growth than in the release before, an hour",
        queries=[(f'{_CHANGE}{{{RELEASE},figure="growth_per_hour"}}', _BY)],
        unit="bytes",
        text="The same of the slope of resident memory, for each process.",
    ),
    Panel(
        title="Resident memory of a process, on average",
        queries=[(_by_release("avg", "memwatch_process_resident_memory_bytes"), _BY)],
        unit="bytes",
        text="Young processes are small: compare at the same age.",
    ),
    Panel(
        title="Used heap of a process, on average",
        queries=[(_by_release("avg", "memwatch_heap_used_bytes"), _BY)],
        unit="bytes",
    ),
    Panel(
        title="Growth of a process, MB an hour",
        queries=[(_by_release("avg", "deriv(memwatch:rss_mb:min15m[1h]) * 3600"), _BY)],
        text="The slope of the least resident memory of 15 minutes: peaks do not count.",
        warn=100,
        critical=500,
    ),
    Panel(
        title="Objects of a process, on average",
        queries=[(_by_release("avg", "fogcompute_memory_total_objects"), _BY)],
    ),
    Panel(
        title="Above the baseline, the worst process",
        queries=[(_by_release("max", "fogcompute_memory_baseline_drift_percent"), _BY)],
        unit="percent",
        warn=50,
        critical=100,
    ),
    Panel(
        title="Open leaks",
        queries=[(_by_release("sum", "sum without (severity) (memwatch_leaks_open)"), _BY)],
    ),
    Panel(
        title="Garbage collections a second, generations 1 and 2",
        queries=[(_by_release("avg", "memwatch:gc_collections:rate10m"), _BY)],
    ),
    Panel(
        title="Age of a process, on average",
        queries=[(_by_release("avg", "time() - memwatch_process_start_time_seconds"), _BY)],
        unit="s",
    ),
    Panel(
        title="What runs where",
        queries=[(f"sort_desc({_with_release('memwatch_process_start_time_seconds')} * 1000)", "")],
        unit="dateTimeFromNow",
        kind="table",
    ),
)
