"""The series of processes: their figures, what is known of them without a snapshot, and their objects by type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from memwatch.exposition.samples import Families, Labelled, add, add_all
from memwatch.observation import Observation, Observed
from memwatch.records import FIGURES

OTHER_TYPES = "other"
"""The ``object_type`` of everything beyond the limit."""

REFERENCE_FIGURES = {figure.name: figure.reference_help for figure in FIGURES.values() if figure.reference_help}
"""HELP of the reference's gauges that are figures of a snapshot, by the attribute they are named after."""

OWN_FIGURES = tuple(
    (each.metric, each.name, each.unit.base, each.metric_help or f"{each.help_text}.")
    for each in FIGURES.values()
    if each.metric
)  # fmt: skip
"""Beside the reference's, in base units: name after ``memwatch_``, attribute of the snapshot, factor, HELP."""

KEPT_TOTALS = (
    (
        "snapshots_dropped_total",
        "dropped_snapshots",
        "Snapshots that the agent dropped while the transport was away.",
    ),
    ("sampling_failures_total", "sampling_failures", "Snapshots that failed with an error."),
    ("commands_refused_total", "refused_commands", "Commands refused: unsigned, expired, repeated or unknown."),
)
"""Counters of a process that are there before its first snapshot: name, attribute of :class:`Observed`, HELP."""

CONTAINER_PARTS = ("anonymous", "page_cache", "shared", "kernel", "unwatched_processes")
"""What the memory of a container is: the last one is contained in the others."""


def add_process_series(made: Families, observation: Observation) -> None:
    measured = [(each.labels, each.figures) for each in observation.processes if each.figures is not None]
    columns = [(made.reference(name, text), name, 1.0) for name, text in REFERENCE_FIGURES.items()]
    columns += [(made.own(name, text), attribute, factor) for name, attribute, factor, text in OWN_FIGURES]
    for family, attribute, factor in columns:
        add_all(family, ((labels, getattr(figures, attribute)) for labels, figures in measured), factor)
    taken = made.own("last_snapshot_timestamp_seconds", "Time of the last snapshot, by the process's own clock.")
    collections = made.reference("gc_collections_total", "Total GC collections by generation.")
    add_all(taken, ((labels, figures.timestamp.timestamp()) for labels, figures in measured))
    by_generation = [(number, f"gc_collections_gen{number}") for number in "012"]
    add_all(
        collections,
        (
            ({**labels, "generation": number}, getattr(figures, attribute))
            for labels, figures in measured
            for number, attribute in by_generation
        ),
    )
    _add_known_process_series(made, observation.processes)


def _add_known_process_series(made: Families, processes: Sequence[Observed]) -> None:
    """What is known of a process before its first snapshot."""
    leaks = made.reference("active_leaks", "Active leak count: open or acknowledged, neither snoozed nor suppressed.")
    drift = made.reference("baseline_drift_percent", "Drift of the used heap from the baseline in percent.")
    started = made.own(
        "process_start_time_seconds",
        "Start time of the process. A slot is reused by the next process: judge growth only since this time.",
    )
    info = made.own("process_info", "Always 1; the labels give the release of the code and the Python version.")
    kept = [(made.own(name, text), attribute) for name, attribute, text in KEPT_TOTALS]
    shared = [(observed.labels, observed) for observed in processes]
    add_all(info, (({**labels, "release": each.release, "python": each.python}, 1) for labels, each in shared))
    add_all(leaks, ((labels, sum(each.leaks.values())) for labels, each in shared if each.leaks is not None))
    add_all(drift, ((labels, each.drift_percent) for labels, each in shared))
    add_all(started, ((labels, each.started_at.timestamp()) for labels, each in shared if each.started_at is not None))
    for family, attribute in kept:
        add_all(family, ((labels, getattr(each, attribute)) for labels, each in shared))
    counted = made.own(
        "object_counts_timestamp_seconds", "Time of the last census of objects, by the process's own clock."
    )
    growth = made.own(
        "process_growth_bytes_per_hour",
        "Growth of resident memory while it is steady, whatever the cause; no sample otherwise.",
    )
    judged = made.own(
        "process_leaks_known", "1 if the objects were counted often enough to say whether the process leaks, else 0."
    )
    container = made.own(
        "container_memory_bytes",
        "Memory of the container by what it is; only of the process that reports its container. Memory of unwatched "
        "processes is contained in the other parts.",
    )
    for labels, each in shared:
        for part in CONTAINER_PARTS:
            add(container, {**labels, "part": part}, each.container.get(part))
        at = each.counted_at
        if at is None and each.figures is not None and each.figures.total_objects is not None:
            at = each.figures.timestamp
        add(counted, labels, None if at is None else at.timestamp())
        add(growth, labels, None if each.growth_kib_per_hour is None else each.growth_kib_per_hour * 1024)
        add(judged, labels, None if each.leaks_known is None else int(each.leaks_known))


def add_object_counts(made: Families, observation: Observation, limit: int) -> None:
    family = made.reference("object_count", "Count by type: the largest types and the largest growers.")
    reported = [
        (observed.labels, observed.figures.top_objects)
        for observed in observation.processes
        if observed.figures is not None and observed.figures.top_objects
    ]
    named = shown_types((counts for _labels, counts in reported), limit, observation.leaking_types)
    add_all(family, _counts(reported, named - {OTHER_TYPES}))


def _counts(
    reported: Iterable[tuple[Mapping[str, str], Mapping[str, int]]], named: Collection[str]
) -> Iterator[Labelled]:
    for labels, counts in reported:
        other, beyond = 0, False
        for name, count in counts.items():
            if name in named:
                yield {**labels, "object_type": name}, count
            else:
                other, beyond = other + count, True
        if beyond:
            yield {**labels, "object_type": OTHER_TYPES}, other


def shown_types(counts: Iterable[Mapping[str, int]], limit: int, first: Collection[str] = ()) -> frozenset[str]:
    """The ``limit`` types that get a label of their own: those of ``first``, then the largest over all processes.

    The same rows give the same choice, whichever worker renders them.
    """
    totals: Counter[str] = Counter()
    for mapping in counts:
        totals.update(mapping)
    if len(totals) <= limit:
        return frozenset(totals)
    ranked = sorted(totals, key=lambda name: (name not in first, -totals[name], name))
    return frozenset(ranked[:limit])
