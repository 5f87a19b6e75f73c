"""The whole analysis of a dump as plain JSON, to be kept beside the dump: pages and API read it without numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from memwatch.heapdump.analysis.findings import findings
from memwatch.heapdump.analysis.heap import MOST_CHILDREN, Heap
from memwatch.heapdump.results import VERSION

MOST_TYPES = 1_000
MOST_NODES = 5_000
LEAST_SHARE = 2_000
"""Objects are listed that retain at least one part in so many of the heap."""
LEAST_OF_TYPE = 0.001
"""A type is worth a look that retains this share of the heap."""
MOST_PATH_TYPES, MOST_PATH_GROUPS = 20, 10
DONE = {"about": 55, "dominators": 65, "paths": 85}
"""Percent of the time, about, that the analysis has taken after each part."""
_PLUMBING = frozenset({"builtins", "types", "abc", "enum", "functools", "typing", "collections"})


def analysis_of(
    heap: Heap, report: Callable[[int], object] = lambda _percent: None, also: Iterable[str] = ()
) -> dict[str, Any]:
    """See :mod:`memwatch.heapdump.results` for how to ask it; ``report`` is called with percents.

    ``also``: types whose paths are wanted.
    """
    wanted = dict.fromkeys(name for name in also if len(heap.graph.of_types(heap.graph.types_named(name))))
    wanted |= dict.fromkeys(telling_types(heap))
    parts: dict[str, Callable[[], Any]] = {
        "about": heap.about,
        "types": lambda: heap.types(most=MOST_TYPES),
        "modules": heap.modules,
        "packages": heap.packages,
        "roots": heap.roots,
        "dominators": lambda: dominators_of(heap),
        "paths": lambda: {name: heap.paths_of(name, MOST_PATH_GROUPS) for name in wanted},
        "duplicates": heap.duplicates,
        "containers": heap.containers,
        "held": heap.held,
    }
    result: dict[str, Any] = {"version": VERSION}
    for name, ask in parts.items():
        result[name] = ask()
        if name in DONE:
            report(DONE[name])
    return {**result, "findings": findings(result)}


def telling_types(heap: Heap, most: int = MOST_PATH_TYPES) -> list[str]:
    """Types whose paths are worth a look: those of the program's own first, then libraries', then built-in ones."""
    least = int(heap.tree.retained[heap.graph.top]) * LEAST_OF_TYPE
    modules = {each.name: each.module for each in heap.graph.type_list}
    own = {each.name for each in heap.graph.type_list if heap.paths.origins.own_module(each.module)}
    names = [total.name for total in heap.type_totals if total.retained >= least]
    plumbing = [name for name in names if modules[name] in _PLUMBING]
    libraries = [name for name in names if modules[name] not in _PLUMBING and name not in own]
    chosen = [name for name in names if name in own][: most // 2]
    chosen += libraries[: most // 4]
    by_size = sorted((total for total in heap.type_totals if total.name in set(plumbing)), key=lambda row: -row.size)
    return chosen + [total.name for total in by_size[: most - len(chosen)]]


def dominators_of(heap: Heap) -> dict[str, Any]:
    """Nodes by their number as text, from all roots down to those that retain little."""
    least = int(heap.tree.retained[heap.graph.top]) // LEAST_SHARE + 1
    listed = set(heap.largest_nodes(MOST_NODES, least))
    nodes: dict[str, Any] = {}
    waiting = [heap.graph.top]
    while waiting:
        found = heap.dominators(waiting.pop(), MOST_CHILDREN, listed)
        shown = [child["node"] for child in found["children"]]
        nodes[str(found["node"])] = {**found, "children": shown}
        waiting += shown
    return {"top": heap.graph.top, "nodes": nodes}
