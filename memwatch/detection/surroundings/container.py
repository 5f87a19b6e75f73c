"""What the figure of a container consists of, in sentences: what is harmless, what is not memwatch's to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from memwatch.records.surroundings import Surroundings

FULL = 0.8
"""Share of the limit from which a container counts as full."""
MOST = 0.5
"""Share of the container from which one part is most of it."""
MUCH, MUCH_MB = 0.1, 50.0
"""A part is worth a sentence from this share of the container and this size on."""
WAITS_PERCENT = 10.0
"""Percent of a minute that processes waited for memory, from which page cache is no longer to spare."""
NAMED, NAMED_MB = 3, 10.0
"""Other programs that a sentence names, and how large one must be for that."""
_MB_PER_GB = 1024


def sentences(container: Surroundings) -> list[str]:
    """What there is to know, the most useful first. Empty where the kernel gives no figures."""
    if not container.used_mb:
        return []
    found = [_waits(container), *_parts(container), _explained(container), _cut_short(container)]
    return [text for text in found if text]


def headline(container: Surroundings) -> str:
    """The one sentence of these that says most about a container near its limit."""
    return next(iter(sentences(container)), "")


def filled_percent(container: Surroundings) -> float | None:
    """How full it is, as its alerts count: without files that were not used lately. ``None`` without a limit."""
    if container.used_mb is None or not container.limit_mb:
        return None
    return max(container.used_mb - (container.inactive_file_mb or 0.0), 0.0) / container.limit_mb * 100


def container_subject(host: str, limit_mb: float) -> str:
    """What an alert of a container is about: its processes have the same host and limit."""
    return f"container:{host}:{limit_mb:.0f}"


def size(mb: float) -> str:
    """``900 MB``, ``1.1 GB``."""
    return f"{mb / _MB_PER_GB:.1f} GB" if mb >= 1000 else f"{mb:.0f} MB"


def page_cache_mb(container: Surroundings) -> float | None:
    """What the kernel can give back: files in memory without tmpfs and shared memory."""
    if container.file_mb is None:
        return None
    return max(container.file_mb - (container.shmem_mb or 0.0), 0.0)


def _parts(container: Surroundings) -> list[str]:
    """The largest first."""
    used = container.used_mb or 0.0
    cache, shared, unwatched = page_cache_mb(container), container.shmem_mb, container.unwatched_mb
    parts = []
    if cache is not None and cache >= MOST * used and not _is_short(container):
        parts.append((cache, _page_cache(container, cache)))
    if unwatched is not None and _is_much(unwatched, used):
        parts.append((unwatched, _unwatched(container, unwatched)))
    if shared is not None and _is_much(shared, used):
        text = f"{size(shared)} is in files in memory (tmpfs, /dev/shm) and shared memory: only deleting it frees it."
        parts.append((shared, text))
    return [text for _mb, text in sorted(parts, key=lambda part: -part[0])]


def _is_much(mb: float, used_mb: float) -> bool:
    return mb >= MUCH_MB and mb >= MUCH * used_mb


def _is_short(container: Surroundings) -> bool:
    pressure = container.pressure
    return pressure is not None and (pressure.some_60 or 0.0) >= WAITS_PERCENT


def _waits(container: Surroundings) -> str:
    if not _is_short(container):
        return ""
    percent = (container.pressure and container.pressure.some_60) or 0.0
    return (
        f"Processes of the container waited for memory during {percent:.0f} % of the last minute: "
        "its limit is too small for what runs in it."
    )


def _page_cache(container: Surroundings, cache_mb: float) -> str:
    used, limit = container.used_mb or 0.0, container.limit_mb
    whole = f"{size(cache_mb)} of {size(used)}"
    back = "which the kernel gives back when it is needed: harmless."
    if limit is not None and used >= FULL * limit:
        return f"The container is full of page cache ({whole}), {back}"
    return f"Most of the container's memory is page cache ({whole}), {back}"


def _unwatched(container: Surroundings, mb: float) -> str:
    names = _by_name(container)
    named = ", ".join(f"{name} {size(taken)}" for name, taken in names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{size(mb)} is in processes that memwatch does not watch{': ' if named else ''}{named}{more}."


def _by_name(container: Surroundings) -> list[tuple[str, float]]:
    """Name and MB of those without an agent; those of one name together, the largest first."""
    taken: Counter[str] = Counter()
    for each in container.largest:
        taken[each.name] += each.rss_mb if each.pss_mb is None else each.pss_mb  # type: ignore[assignment]  # MB
    return [(name, float(mb)) for name, mb in taken.most_common() if mb >= NAMED_MB]


def _explained(container: Surroundings) -> str:
    """How much of the figure the processes account for, and where the rest is."""
    if not container.complete or container.watched_mb is None:
        return ""
    used = container.used_mb or 0.0
    explained = container.watched_mb + (container.unwatched_mb or 0.0)
    cache = max((container.file_mb or 0.0) - (container.mapped_mb or 0.0), 0.0)
    text = f"The processes explain {_of(min(explained, used), used)}"
    takes = _joined(
        [(name, mb) for name, mb in (("other page cache", cache), ("kernel memory", container.kernel_mb)) if mb]
    )
    hidden = f" {_hidden(container.hidden)}" if container.hidden else ""
    return f"{text}{takes}.{hidden}"


def _of(part_mb: float, whole_mb: float) -> str:
    """``3.1 of 3.4 GB``."""
    if whole_mb >= 1000:
        return f"{part_mb / _MB_PER_GB:.1f} of {whole_mb / _MB_PER_GB:.1f} GB"
    return f"{part_mb:.0f} of {whole_mb:.0f} MB"


def _joined(parts: Iterable[tuple[str, float]]) -> str:
    named = [f"{name} takes {size(mb)}" for name, mb in parts if mb >= 1]
    return f"; {' and '.join(named)}" if named else ""


def _hidden(number: int) -> str:
    if number == 1:
        return "One process of the container cannot be seen from here."
    return f"{number} processes of the container cannot be seen from here."


def _cut_short(container: Surroundings) -> str:
    if container.complete:
        return ""
    return "The container has too many processes to look at each of them: their memory is not known."
