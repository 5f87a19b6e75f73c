"""What the figures of a trim mean: a sentence, and what to set. Pure functions of the stored result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

LEAST_MB = 16.0
"""Less is noise."""
LEAST_SHARE = 0.05
"""Of resident memory: less was hardly worth the call."""
MUCH_SHARE = 0.2
"""Of resident memory: so much, free and not returned, is named."""
CAME_BACK = 0.8
"""Of what was returned: so much has come back where the program needs its peak."""
PINNED_USED = 0.6
"""Share in use below which pymalloc's arenas count as held by few objects."""
KEPT_ARENAS = 2
FIXED = (
    "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_",
    "glibc.malloc.mmap_threshold", "glibc.malloc.trim_threshold", "glibc.malloc.top_pad", "glibc.malloc.mmap_max",
)  # fmt: skip
"""With any of them set, malloc adapts its thresholds no longer."""
FOREIGN, PEAK, RETURNED, PINNED, PIECES, IN_USE = "not_trimmed", "peak", "returned", "pymalloc", "pieces", "in_use"

ARENA_MAX, TRIM_THRESHOLD, MMAP_THRESHOLD = (
    "MALLOC_ARENA_MAX=2",
    "MALLOC_TRIM_THRESHOLD_=131072",
    ("MALLOC_MMAP_THRESHOLD_=131072"),
)
JEMALLOC = "LD_PRELOAD=libjemalloc.so.2"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """A thing to do."""

    setting: str
    """The variable to set in the environment of the process, with its value; empty where it is none."""
    text: str
    gain_mb: float | None = None
    """How much of what was returned it concerns, at most; ``None`` where that is not known."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrimVerdict:
    """What it was."""

    kind: str
    """``returned``, ``peak``, ``in_use``, ``pymalloc``, ``pieces`` or ``not_trimmed``."""
    sentence: str
    advice: tuple[Advice, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Figures:
    """Of a result, with 0 for what was not measured. In MB."""

    before: float
    after: float
    malloc_free: float
    malloc_pages: float
    pymalloc_system: float
    pymalloc_used: float
    arenas: Sequence[Mapping[str, Any]]
    levels: Sequence[tuple[float, float]]
    watched_s: float | None
    settings: Mapping[str, str]

    @property
    def returned(self) -> float:
        return max(0.0, self.before - self.after)

    @property
    def is_much(self) -> bool:
        return self.returned >= max(LEAST_MB, LEAST_SHARE * self.before)

    @property
    def noticeable(self) -> float:
        return max(LEAST_MB, MUCH_SHARE * self.before)

    def of_arenas(self, name: str, arenas: Sequence[Mapping[str, Any]] | None = None) -> float:
        return sum(float(arena[name]) for arena in (self.arenas if arenas is None else arenas))


def verdict(result: Mapping[str, Any]) -> TrimVerdict:
    """Of a result that :func:`memwatch.diagnosis.result_shape.checked` has passed."""
    found = _figures(result)
    if not result["trimmed"]:
        return TrimVerdict(
            kind=FOREIGN, sentence=f"Nothing was returned: {result['reason'] or 'malloc_trim cannot be called here'}."
        )
    if found.is_much:
        return _peak(found) or _returned(found)
    said = f"The process returned {both(found.returned, found.before)}"
    return _pinned(found, said) or _pieces(found, said) or _in_use(said)


def _figures(result: Mapping[str, Any]) -> _Figures:
    def of(name: str) -> float:
        return float(result.get(name) or 0.0)

    return _Figures(
        before=of("rss_before_mb"),
        after=of("rss_after_mb"),
        malloc_free=of("malloc_free_mb"),
        malloc_pages=of("malloc_pages_mb"),
        pymalloc_system=of("pymalloc_system_mb"),
        pymalloc_used=of("pymalloc_used_mb"),
        arenas=result.get("arenas") or (),
        levels=[(float(each["seconds"]), float(each["rss_mb"])) for each in result.get("regrowth") or ()],
        watched_s=result.get("watched_s"),
        settings=result.get("settings") or {},
    )


def came_back(before: float, after: float, levels: Sequence[tuple[float, float]]) -> tuple[float, float | None]:
    """The share of what was returned that is resident again at the end; and after how many seconds most of it was."""
    returned = before - after
    if returned <= 0 or not levels:
        return 0.0, None
    shares = [(seconds, (rss - after) / returned) for seconds, rss in levels]
    return max(0.0, shares[-1][1]), next((seconds for seconds, share in shares if share >= CAME_BACK), None)


def _peak(found: _Figures) -> TrimVerdict | None:
    _share, seconds = came_back(found.before, found.after, found.levels)
    if seconds is None:
        return None
    sentence = (
        f"The process returned {both(found.returned, found.before)}, and it came back within {minutes(seconds)}: "
        "the program needs its peak."
    )
    advice = (
        Advice(
            setting="",
            text="Plan for this memory: no setting of the allocator saves it. Find the request or task with the peak "
            "(page “Work”), run fewer of them at once in a process, or give them a queue of their own.",
        ),
    )
    return TrimVerdict(kind=PEAK, sentence=sentence, advice=advice)


def _returned(found: _Figures) -> TrimVerdict:
    advice = _settings_for(found)
    returned = f"The process returned {both(found.returned, found.before)}: that is no leak, the allocator kept it"
    setting = advice[0].setting
    if setting == ARENA_MAX:
        returned += f"; `{setting}` would hold it there, unless all threads have their peak at once"
    elif setting == TRIM_THRESHOLD:
        returned += f"; `{setting}` would hold it there"
    elif setting == MMAP_THRESHOLD:
        returned += f"; try `{setting}`"
    return TrimVerdict(kind=RETURNED, sentence=f"{returned}.{_since(found)}", advice=advice)


def _since(found: _Figures) -> str:
    """How far it came back, as a further sentence."""
    share, _seconds = came_back(found.before, found.after, found.levels)
    if not found.levels:
        return ""
    watched = found.levels[-1][0] if found.watched_s is None else found.watched_s
    return f" {share * 100:.0f} % of it came back within {minutes(watched)}."


def _settings_for(found: _Figures) -> tuple[Advice, ...]:
    """The setting that concerns most of the free memory first."""
    free = found.of_arenas("free_mb") or 1.0
    by_size = sorted(found.arenas, key=lambda arena: -float(arena["system_mb"]))
    spread = found.of_arenas("free_mb", by_size[KEPT_ARENAS:]) / free
    top = found.of_arenas("top_mb", [arena for arena in by_size if arena["number"] == 0]) / free
    large = found.of_arenas("large_mb") / free
    advice = []
    if len(by_size) > KEPT_ARENAS and not _is_set(found, "MALLOC_ARENA_MAX", "glibc.malloc.arena_max"):
        text = (
            f"malloc has {len(by_size)} arenas: it makes one for a thread that finds the others busy. What is free in "
            "one does not serve another. With two, threads share what is free, and wait for each other a little more. "
            "Measured with eight threads: 128 MB in place of 417 with their peaks in turn, 345 of 421 all at once."
        )
        advice.append(Advice(setting=ARENA_MAX, text=text, gain_mb=spread * found.returned))
    if not _is_set(found, "MALLOC_TRIM_THRESHOLD_", "glibc.malloc.trim_threshold"):
        text = (
            "malloc gives the end of its memory back only when more than this is free there. Unset, the bound "
            "grows to 64 MB with the largest block that was freed. Set, it stays."
        )
        advice.append(Advice(setting=TRIM_THRESHOLD, text=text, gain_mb=top * found.returned))
    if not _is_set(found, *FIXED):
        text = (
            "Blocks of this size and more are mapped one by one, and returned as soon as they are freed. Unset, the "
            "bound grows to 32 MB with the largest block that was freed, and large blocks leave holes. It helps if the "
            "program makes such blocks (files, answers, arrays); each then costs a system call."
        )
        advice.append(Advice(setting=MMAP_THRESHOLD, text=text, gain_mb=large * found.returned))
    worth = [each for each in advice if (each.gain_mb or 0.0) >= max(LEAST_MB / 2, MUCH_SHARE * found.returned)]
    return (*sorted(worth, key=lambda each: -(each.gain_mb or 0.0)), _jemalloc("It gives free pages back by itself."))


def _is_set(found: _Figures, *names: str) -> bool:
    return any(name in found.settings for name in names)


def _jemalloc(text: str) -> Advice:
    return Advice(
        setting=JEMALLOC,
        text=f"{text} jemalloc replaces malloc without a change of the program: install it (Debian: libjemalloc2) and "
        "name its file.",
    )


def _pinned(found: _Figures, said: str) -> TrimVerdict | None:
    """Arenas of pymalloc, held by the few objects that are left in each."""
    idle = found.pymalloc_system - found.pymalloc_used
    if idle < found.noticeable or found.pymalloc_used > PINNED_USED * found.pymalloc_system:
        return None
    sentence = (
        f"{said}. Python's own allocator holds {size(found.pymalloc_system)}, of which {size(found.pymalloc_used)} is "
        "in use: a few small objects keep each of its arenas. It is no leak."
    )
    advice = (
        Advice(
            setting="",
            text="The objects of a peak were freed, and some that were made among them live on. Do the work with the "
            "peak in a process of its own, or in smaller portions; recycle the worker after it.",
        ),
        Advice(
            setting="PYTHONMALLOC=malloc",
            text="Small objects then come from malloc, which can return their memory: in a test 328 of 350 MB, not "
            "1 MB. jemalloc returns it without being asked. Allocating costs more time: measure it.",
        ),
    )
    return TrimVerdict(kind=PINNED, sentence=sentence, advice=advice)


def _pieces(found: _Figures, said: str) -> TrimVerdict | None:
    """Free memory that malloc could not give back."""
    if found.malloc_free - found.returned < found.noticeable:
        return None
    if found.malloc_pages < found.malloc_free / 2:
        sentence = (
            f"{said}. malloc has {size(found.malloc_free)} free in pieces that are smaller than a page, between blocks "
            "in use: it can reuse them, and cannot return them."
        )
        return TrimVerdict(kind=PIECES, sentence=sentence, advice=(_jemalloc("It keeps blocks of one size together."),))
    sentence = (
        f"{said}. malloc counts {size(found.malloc_free)} as free, but hardly any of that was resident: it was "
        "returned before, or the system does not take it (memory that is locked, or huge pages)."
    )
    return TrimVerdict(kind=IN_USE, sentence=sentence, advice=_look_further())


def _in_use(said: str) -> TrimVerdict:
    return TrimVerdict(kind=IN_USE, sentence=f"{said}: the rest is in use.", advice=_look_further())


def _look_further() -> tuple[Advice, ...]:
    text = (
        "No setting of the allocator helps. If memory grows, look for a leak: record a heap summary for Python "
        "objects, or a flame graph with native frames for extension modules."
    )
    return (Advice(setting="", text=text),)


def size(mb: float) -> str:
    """In words: ``6 MB``, ``1.3 GB``."""
    return f"{mb / 1024:,.1f} GB" if mb >= 1024 else f"{mb:,.0f} MB"


def both(part: float, whole: float) -> str:
    """``1.3 of 2.1 GB``."""
    return f"{part / 1024:,.1f} of {size(whole)}" if whole >= 1024 else f"{part:,.0f} of {size(whole)}"


def minutes(seconds: float) -> str:
    """Rounded up: what came within 130 s came within 3 minutes."""
    number = max(1, math.ceil(seconds / 60))
    return "a minute" if number == 1 else f"{number} minutes"
