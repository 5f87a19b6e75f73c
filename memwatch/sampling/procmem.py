"""What the system says about the process's memory: RSS and VMS, and now and then USS, PSS and swap."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from memwatch.records import KIB_PER_MB, MB
from memwatch.sampling.isolation import psutil


class ResidentFigures(NamedTuple):
    """Cheap figures, for every snapshot, by their names in it."""

    rss_mb: float | None = None
    vms_mb: float | None = None
    threads: int | None = None
    page_faults: int | None = None


class SharedFigures(NamedTuple):
    """Figures that take the kernel a walk over all pages, by their names in the snapshot."""

    uss_mb: float | None = None
    pss_mb: float | None = None
    swap_mb: float | None = None


def read_bytes(path: str, limit: int = 65_536) -> bytes | None:
    """At most ``limit`` bytes of a file of /proc or /sys; ``None`` where it cannot be read. Makes no file object.

    A pipe in its place has nothing to say, and is not waited for.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    content = b""
    try:
        while len(content) < limit and (part := os.read(descriptor, limit - len(content))):
            content += part  # /proc gives a page at a time
        return content
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _whole(field: Sequence[bytes]) -> int | None:
    return int(field[0]) if field and field[0].isdigit() else None


class ProcessMemory:
    """Reads ``/proc/self`` (or another process's folder, for tests); psutil where there is none."""

    def __init__(self, folder: Path | str = "/proc/self") -> None:
        self._folder = str(folder)
        self._page = os.sysconf("SC_PAGE_SIZE")

    def resident(self) -> ResidentFigures:
        """From ``statm`` and ``stat``; what cannot be read is ``None``."""
        statm = read_bytes(f"{self._folder}/statm")
        if statm is None:
            return self._resident_elsewhere()
        try:
            vms, rss = (int(pages) * self._page / MB for pages in statm.split()[:2])
        except ValueError:
            return ResidentFigures()
        # The name in brackets may hold blanks and brackets: fields are counted from the last one.
        stat = (read_bytes(f"{self._folder}/stat") or b"").rpartition(b")")[2].split()
        return ResidentFigures(
            rss_mb=rss, vms_mb=vms, threads=_whole(stat[17:18]), page_faults=_whole(stat[9:10])
        )  # fmt: skip

    def _resident_elsewhere(self) -> ResidentFigures:
        system = psutil()
        try:
            process = system.Process()
            info = process.memory_info()
            return ResidentFigures(rss_mb=info.rss / MB, vms_mb=info.vms / MB, threads=process.num_threads())
        except (system.Error, OSError):
            return ResidentFigures()

    def shared(self) -> SharedFigures:
        """From ``smaps_rollup``. It takes milliseconds per 100 MB resident, without the interpreter's lock."""
        rollup = read_bytes(f"{self._folder}/smaps_rollup")
        if rollup is None:
            return self._shared_elsewhere()
        kib: dict[bytes, int] = {}
        for line in rollup.splitlines():
            field, _, rest = line.partition(b":")
            words = rest.split()
            if len(words) == 2 and words[1] == b"kB" and words[0].isdigit():
                kib[field] = int(words[0])
        if b"Pss" not in kib:
            return SharedFigures()
        unique = sum(kib.get(field, 0) for field in (b"Private_Clean", b"Private_Dirty", b"Private_Hugetlb"))
        return SharedFigures(
            uss_mb=unique / KIB_PER_MB,
            pss_mb=kib[b"Pss"] / KIB_PER_MB,
            swap_mb=kib[b"Swap"] / KIB_PER_MB if b"Swap" in kib else None,
        )

    def _shared_elsewhere(self) -> SharedFigures:
        if sys.platform == "linux":  # an old kernel, or no right to read it: psutil would walk the far slower smaps
            return SharedFigures()
        system = psutil()
        try:
            info = system.Process().memory_full_info()
        except (system.Error, OSError):
            return SharedFigures()
        uss: int | None = getattr(info, "uss", None)
        return SharedFigures(uss_mb=None if uss is None else uss / MB)
