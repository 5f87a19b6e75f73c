"""Whether the process has memory to spare: a recording must not be what kills it."""

from __future__ import annotations

from memwatch.sampling.limits import LimitReader, Limits
from memwatch.sampling.procmem import ProcessMemory, read_bytes

USABLE = 0.95
"""The share of a limit that a recording may fill."""


def refusal(needs_mb: float, *, heap_limit_mb: float | None = None) -> str | None:
    """Why there is no room for ``needs_mb`` more, as a sentence; ``None`` where there is."""
    limits = LimitReader(setting_mb=heap_limit_mb).read()
    return judge(limits, ProcessMemory().resident().rss_mb or 0.0, available_mb(), needs_mb)


def judge(limits: Limits, rss_mb: float, available: float | None, needs_mb: float) -> str | None:
    """The same, of figures. ``available``: MB that the host can still give."""
    remedy = f"a recording may take {needs_mb:.0f} MB: raise the limit or record another process of the service"
    in_container, of_container = limits.cgroup_used_mb or 0.0, limits.cgroup_limit_mb
    if of_container is not None and in_container + needs_mb > USABLE * of_container:
        used = f"{in_container:.0f} of {of_container:.0f} MB"
        return f"the container is near its memory limit ({used}) and {remedy}"
    if limits.limit_mb is not None and rss_mb + needs_mb > USABLE * limits.limit_mb:
        used = f"{rss_mb:.0f} of {limits.limit_mb:.0f} MB, {limits.source}"
        return f"the process is near its memory limit ({used}) and {remedy}"
    if available is not None and needs_mb > available * USABLE:
        return f"the machine has only {available:.0f} MB of memory left and {remedy}"
    return None


def available_mb(meminfo: str = "/proc/meminfo") -> float | None:
    """What the machine can give without swapping."""
    for line in (read_bytes(meminfo) or b"").splitlines():
        name, _, rest = line.partition(b":")
        words = rest.split()
        if name == b"MemAvailable" and words and words[0].isdigit():
            return int(words[0]) / 1024
    return None
