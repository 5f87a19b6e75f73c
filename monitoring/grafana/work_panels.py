"""Work: which view, task or command keeps memory, needs much of it, is called most."""

from __future__ import annotations

from panels import Panel, stat

_WORK = 'service=~"$service",kind=~"$kind"'
_NAME = "{{name}} ({{kind}}, {{service}})"
_BY_NAME = "sum by (service, kind, name)"
_CALLS = f"{_BY_NAME} (rate(memwatch_work_calls_total{{{_WORK}}}[1h]))"
_KEPT = f"{_BY_NAME} (rate(memwatch_work_kept_bytes_total{{{_WORK}}}[1h]))"
_PEAK = f"max by (service, kind, name) (memwatch_work_peak_bytes{{{_WORK}}})"

PANELS = (
    stat("Calls a second", f"sum(rate(memwatch_work_calls_total{{{_WORK}}}[5m]))", unit="reqps"),
    stat("Names", f"count({_BY_NAME} (memwatch_work_calls_total{{{_WORK}}}))"),
    stat("Kept in an hour", f"sum(increase(memwatch_work_kept_bytes_total{{{_WORK}}}[1h]))", unit="bytes"),
    stat("Highest peak of a call", f"max({_PEAK})", unit="bytes"),
    stat(
        "Alerts of peaks",
        'count(ALERTS{alertname="MemwatchJobPeak",alertstate="firing"}) or vector(0)',
        warn=1,
        critical=5,
    ),
    Panel(
        title="Keep most memory, an hour",
        queries=[(f"topk(15, 3600 * {_KEPT})", _NAME)],
        unit="bytes",
        text="Resident memory that the calls took and did not give back within the hour, averaged over the last hour.",
    ),
    Panel(
        title="Keep most memory, a call",
        queries=[(f"topk(15, {_KEPT} / {_CALLS})", _NAME)],
        unit="bytes",
        text="Averaged over the last hour. Caches that fill after a start keep memory too.",
    ),
    Panel(
        title="Highest peaks of a call",
        queries=[(f"topk(15, {_PEAK})", _NAME)],
        unit="bytes",
        text="The most that resident memory rose during a call, in this hour or the last.",
    ),
    Panel(
        title="Peaks by service",
        queries=[(f"max by (service) (memwatch_work_peak_bytes{{{_WORK}}})", "{{service}}")],
        unit="bytes",
    ),
    Panel(
        title="Most calls",
        queries=[(f"topk(15, {_CALLS})", _NAME)],
        unit="reqps",
        text="Averaged over the last hour.",
    ),
    Panel(
        title="Calls by kind",
        queries=[(f"sum by (kind) (rate(memwatch_work_calls_total{{{_WORK}}}[5m]))", "{{kind}}")],
        unit="reqps",
    ),
    Panel(
        title="Peaks, highest first",
        queries=[(f"sort_desc({_PEAK})", "")],
        unit="bytes",
        kind="table",
    ),
    Panel(
        title="Kept in a day, most first",
        queries=[(f"sort_desc({_BY_NAME} (increase(memwatch_work_kept_bytes_total{{{_WORK}}}[1d])))", "")],
        unit="bytes",
        kind="table",
    ),
)
