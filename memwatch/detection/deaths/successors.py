"""Ends that were not explained, and a later process of the same place that reads a higher count of kills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memwatch.detection.deaths.facts import SUCCESSOR, OomCounters
from memwatch.detection.deaths.reasons import HOST_GONE, OOM_CONTAINER, OOM_PROCESS

_SAID = {
    OOM_PROCESS: "The kernel probably killed it because memory ran out: a later process reads one more such kill.",
    OOM_CONTAINER: "The kernel probably killed all processes of its container because memory ran out: a later process "
    "reads more such kills.",
}


def by_successor(
    ends: Sequence[tuple[str, Mapping[str, Any]]],
    read: tuple[int | None, int | None],
    explained: Sequence[OomCounters] = (),
) -> list[tuple[str, dict[str, Any]] | None]:
    """The new reason and evidence of each end, ``None`` where nothing is learnt. ``ends``: reasons and evidence.

    ``read``: what a later process has read. Of the ends of processes, each kill explains one: the largest first.
    """
    found: list[tuple[str, dict[str, Any]] | None] = [None] * len(ends)
    taken = list(explained)
    for place in sorted(range(len(ends)), key=lambda place: -(ends[place][1].get("rss_mb") or 0)):
        reason, evidence = ends[place]
        oom = _counted(evidence, read)
        together = oom.group_kills or (reason == HOST_GONE and oom.kills)
        if not together and oom.kills <= sum(oom.includes(other) for other in taken):
            continue
        new = OOM_CONTAINER if together else OOM_PROCESS
        if not together:
            taken.append(oom)
        rest = str(evidence.get("sentence") or "").partition(". ")[2]
        found[place] = (
            new,
            {
                **evidence,
                "sentence": f"{_SAID[new]} {rest}".strip(),
                "certain": False,
                "noticed_by": SUCCESSOR,
                "oom": oom._asdict(),
            },
        )
    return found


def _counted(evidence: Mapping[str, Any], read: tuple[int | None, int | None]) -> OomCounters:
    known = evidence.get("oom") or {}
    return OomCounters(known.get("before"), read[0], known.get("group_before"), read[1])
