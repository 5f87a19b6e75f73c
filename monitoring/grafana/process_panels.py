"""One process, in all its figures."""

from __future__ import annotations

from panels import PROCESS, Panel, container_percent, stat

PANELS = (
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
            (f"memwatch_process_unique_memory_bytes{{{PROCESS}}}", "not shared (USS)"),
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
            (container_percent(PROCESS), "container"),
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
