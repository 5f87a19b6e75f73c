"""Profiles of what memwatch has found: of results of recordings, and of analyses of heap dumps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from memwatch.profiles.profile import Frame, Sample, Stack, added_up

UNLISTED = "(sites that are not listed)"
"""Stands for traced memory of the many small sites that a recording does not list."""
SMALLER = "(smaller objects)"
_KIB, _MIB = 1024, 1024 * 1024
_MOST_S = 9e9
"""The times of pprof are nanoseconds in 64 bits."""
_CALLER = re.compile(r"(?P<file>.*):(?P<line>\d{1,9})")
_DEPTH = 100
"""Of a tree of dominators; what is deeper is added up."""


def of_allocations(result: Mapping[str, Any]) -> tuple[Sample, ...]:
    """Of a recording of allocation sites: what was traced and still alive at its end, all of it."""
    samples = [
        Sample(
            (*map(_caller, reversed(site["traceback"])), _line(site)), int(site["count"]), _bytes(site["size_kb"], _KIB)
        )
        for site in result["sites"]
    ]
    rest = _bytes(result["traced_mb"], _MIB) - sum(sample.size for sample in samples)
    if rest > 0:
        samples.append(Sample((Frame(UNLISTED),), 0, rest))
    return added_up(samples)


def _line(site: Mapping[str, Any]) -> Frame:
    file, line = str(site["file"]), int(site["line"])
    return Frame(str(site["function"]) or f"{file}:{line}", file, line)


def _caller(text: str) -> Frame:
    match = _CALLER.fullmatch(text)
    return Frame(text, match["file"], int(match["line"])) if match else Frame(text)


def of_heap_summary(result: Mapping[str, Any]) -> tuple[Sample, ...]:
    """Of a heap summary: its types, each under the package that defines it."""
    return added_up(
        Sample(
            (Frame(_package(str(row["type"]))), Frame(str(row["type"]))),
            int(row["count"]),
            _bytes(row["size_kb"], _KIB),
        )
        for row in result["types"]
    )


def _package(type_name: str) -> str:
    """The top-level module; types of Python itself are named without one."""
    package, dot, _rest = type_name.partition(".")
    return package if dot else "builtins"


def of_dominators(analysis: Mapping[str, Any]) -> tuple[Sample, ...]:
    """Of an analysed heap dump: each object under the one without which it would be freed.

    What an object keeps alive and the analysis does not list is added up below it.
    """
    tree = analysis["dominators"]
    return added_up(_dominated(tree["nodes"], str(tree["top"]), ()))


def _dominated(nodes: Mapping[str, Any], number: str, above: Stack) -> Iterator[Sample]:
    node = nodes[number]
    stack = (*above, Frame(_title(node)))
    children = [str(child) for child in node["children"]] if len(stack) < _DEPTH else []
    count, left = int(node["objects"]), int(node["retained"])
    for child in children:
        count, left = count - int(nodes[child]["objects"]), left - int(nodes[child]["retained"])
        yield from _dominated(nodes, child, stack)
    if above:  # else it stands for all roots, and is no object
        own = min(int(node["size"]), left)
        count, left = count - 1, left - own
        yield Sample(stack, 1, own)
    for group in node["groups"]:
        sample = Sample((*stack, Frame(str(group["type"]))), int(group["objects"]), int(group["retained"]))
        count, left = count - sample.objects, left - sample.size
        yield sample
    if left > 0:
        yield Sample((*stack, Frame(SMALLER)), max(0, count), left)


def seconds(value: object) -> float:
    """A time or duration that another process has given; 0 where it is none."""
    return float(value) if isinstance(value, int | float) and 0 <= value < _MOST_S else 0.0


def _title(node: Mapping[str, Any]) -> str:
    return f"{node['place']}: {node['label']}" if node["place"] else str(node["label"])


def _bytes(value: float, unit: int) -> int:
    return max(0, round(float(value) * unit))
