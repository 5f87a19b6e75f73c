"""From traces to the lines that allocate, and to the lines of the program's own that lead there. Values only."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from memwatch.diagnosis.allocations.result import Site
from memwatch.diagnosis.source_lines import Sources
from memwatch.sampling.type_names import clean

MOST_SITES = 40
_OUR_FOLDERS = tuple(
    f"{Path(__file__).parents[2] / name}{os.sep}" for name in ("agent", "diagnosis", "sampling", "transport")
)
_SLICE = 20_000
_LEAST_SHARE = 0.001
"""Least share of all traced memory: sites with less are left out."""
_LIBRARY = re.compile(r"[/\\](site|dist)-packages[/\\]|[/\\]lib(64)?[/\\]python\d[^/\\]*[/\\]|^<")
"""Files of installed packages, of Python's own library, and what has no file."""

Frames = tuple[tuple[str, int], ...]
"""``(file, line)`` of an allocation, the innermost first."""
Sizes = dict[Frames, list[int]]
"""``[bytes, blocks]`` by the frames that allocated them."""


def is_library(file: str) -> bool:
    """Whether somebody else than the program's author wrote it, going by where it lies."""
    return _LIBRARY.search(file) is not None


def own_caller(frames: Frames) -> tuple[str, int] | None:
    """The nearest caller that is the program's own; ``None`` where the line itself is, or no caller is known to be."""
    if not frames or is_library(frames[0][0]):
        return next((frame for frame in frames[1:] if not is_library(frame[0])), None)
    return None


def by_frames(traces: Sequence[Any]) -> Generator[float, None, Sizes]:
    """Add up the traces, in slices between which other threads run; our own allocations are left out."""
    sizes: Sizes = {}
    for start in range(0, len(traces), _SLICE):
        for _domain, size, frames, *_cut in traces[start : start + _SLICE]:
            entry = sizes.get(frames)
            if entry is None:
                sizes[frames] = [size, 1]
            else:
                entry[0] += size
                entry[1] += 1
        yield 0.001
    return {frames: entry for frames, entry in sizes.items() if not _is_ours(frames)}


def _is_ours(frames: Frames) -> bool:
    return any(file.startswith(_OUR_FOLDERS) for file, _line in frames)


def grown_since(middle: Sizes, sizes: Sizes) -> dict[Frames, int]:
    """Bytes more than in the middle."""
    nothing = [0, 0]
    return {frames: entry[0] - middle.get(frames, nothing)[0] for frames, entry in sizes.items()}


def listed(
    sizes: Sizes, grown: dict[Frames, int], minutes: float, of_type: dict[Frames, int], type_name: str | None
) -> tuple[Site, ...]:
    """The sites that grew most; those of the type asked for are never left out."""
    sources = Sources()
    least = _LEAST_SHARE * sum(entry[0] for entry in sizes.values())
    ordered = sorted(sizes, key=lambda frames: (grown[frames], sizes[frames][0]), reverse=True)
    chosen = [frames for frames in ordered if sizes[frames][0] >= least][:MOST_SITES]
    chosen += [frames for frames in ordered if frames in of_type and frames not in chosen][:10]
    found = []
    for frames in chosen:
        file, line = frames[0]
        function = sources.function(file, line)
        called_from, caller_code = _told(own_caller(frames), sources)
        found.append(
            Site(
                file=clean(file),
                line=line,
                function=function,
                size_kb=round(sizes[frames][0] / 1024, 1),
                count=sizes[frames][1],
                size_growth_kb_per_min=round(grown[frames] / 1024 / max(minutes, 1e-3), 1),
                code=sources.code(file, line),
                traceback=_traceback(frames),
                called_from=called_from,
                caller_code=caller_code,
                of_type=frames in of_type or _makes(function, type_name),
            )
        )
    return tuple(found)


def _makes(function: str, type_name: str | None) -> bool:
    """Whether the function is the type's ``__init__`` or ``__new__``."""
    owner, _, method = function.rpartition(".")
    return bool(type_name and owner and method in ("__init__", "__new__") and f".{type_name}".endswith(f".{owner}"))


def to_be_asked(sites: Sequence[Site]) -> frozenset[tuple[str, int]]:
    """``(file, line)`` of the sites that answer the question: those in a library of which no caller is known."""
    answers = [site for site in sites if site.of_type] or sites[:1]
    return frozenset((site.file, site.line) for site in answers if is_library(site.file) and not site.traceback)


def with_callers(
    sites: Sequence[Site], lines: frozenset[tuple[str, int]], weights: Mapping[Frames, int]
) -> tuple[Site, ...]:
    """The sites, those of these lines with the callers that weigh most in traces with deeper frames."""
    sources = Sources()
    heaviest: dict[tuple[str, int], dict[tuple[str, int], tuple[int, Frames]]] = {}
    for frames, weight in weights.items():
        caller, line = own_caller(frames), frames[0]
        if caller is not None and line in lines:
            of_line = heaviest.setdefault(line, {})
            total, before = of_line.get(caller, (0, frames))
            of_line[caller] = (total + weight, before)
    found = []
    for site in sites:
        callers = heaviest.get((site.file, site.line), {})
        if callers and not site.traceback:
            caller, (_weight, frames) = max(callers.items(), key=lambda each: each[1][0])
            called_from, caller_code = _told(caller, sources)
            found.append(
                dataclasses.replace(
                    site, traceback=_traceback(frames), called_from=called_from, caller_code=caller_code
                )
            )
        else:
            found.append(site)
    return tuple(found)


def _traceback(frames: Frames) -> tuple[str, ...]:
    return tuple(clean(f"{caller}:{number}") for caller, number in frames[1:])


def _told(frame: tuple[str, int] | None, sources: Sources) -> tuple[str, str]:
    """``file:line in function`` and the line; both empty where there is none."""
    if frame is None:
        return "", ""
    file, line = frame
    function = sources.function(file, line)
    return clean(f"{file}:{line} in {function}" if function else f"{file}:{line}"), sources.code(file, line)
