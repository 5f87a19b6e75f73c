"""The figures that the kernel keeps of a memory cgroup, of v2 and of v1."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from memwatch.records import MB
from memwatch.records.surroundings import Pressure
from memwatch.sampling.limits import Place, parse_bytes
from memwatch.sampling.procmem import read_bytes

_OF_V2 = {
    "anon_mb": "anon", "file_mb": "file", "mapped_mb": "file_mapped", "inactive_file_mb": "inactive_file",
    "shmem_mb": "shmem", "kernel_mb": "kernel", "slab_mb": "slab", "sock_mb": "sock",
}  # fmt: skip
_OF_V1 = {
    "anon_mb": "total_rss", "file_mb": "total_cache", "mapped_mb": "total_mapped_file",
    "inactive_file_mb": "total_inactive_file", "shmem_mb": "total_shmem",
}  # fmt: skip
"""Attribute of the record and field of ``memory.stat``."""
_KERNEL = ("kernel_stack", "pagetables", "percpu", "sock", "slab")
"""What ``kernel`` is the sum of, on kernels before 5.18, which do not have it."""
_FILES_OF_V1 = {"kernel_mb": "memory.kmem.usage_in_bytes", "sock_mb": "memory.kmem.tcp.usage_in_bytes"}
_ROOT_OF_V1 = "release_agent"
"""A file that only the root of a hierarchy has: the whole machine, which is no container."""
_AVERAGES = re.compile(rb"^(some|full) avg10=([0-9.]{1,10}) avg60=([0-9.]{1,10}) ", re.MULTILINE)


def parse_fields(content: bytes | None) -> dict[str, int]:
    """The whole numbers of ``memory.stat`` by name; without lines that are none."""
    fields = {}
    for line in (content or b"").splitlines():
        name, _, value = line.partition(b" ")
        if value.isdigit() and len(value) <= 18:
            fields[name.decode("ascii", "replace")] = int(value)
    return fields


def parse_pressure(content: bytes | None) -> Pressure | None:
    """Averages of ``memory.pressure``; ``None`` where the kernel counts none."""
    found = {}
    for kind, ten, sixty in _AVERAGES.findall(content or b""):
        try:
            found[kind] = (min(float(ten), 100.0), min(float(sixty), 100.0))
        except ValueError:
            continue
    if not found:
        return None
    return Pressure(*found.get(b"some", (None, None)), *found.get(b"full", (None, None)))


def is_machine(place: Place) -> bool:
    """Whether the cgroup is the root of all: what it counts is the machine's."""
    return not place.unified and os.path.exists(f"{place.folder}/{_ROOT_OF_V1}")  # noqa: PTH110 - a path per look


def memory_of(place: Place) -> Mapping[str, Any]:
    """The figures of :class:`memwatch.records.surroundings.Surroundings` that the cgroup's files give, in MB."""
    fields = parse_fields(_file(place, "memory.stat"))
    found: dict[str, int | None]
    if place.unified:
        if "kernel" not in fields and "slab" in fields:
            fields["kernel"] = sum(fields.get(name, 0) for name in _KERNEL)
        found = {name: fields.get(field) for name, field in _OF_V2.items()}
        found |= {"used_mb": _bytes(place, "memory.current"), "peak_mb": _bytes(place, "memory.peak")}
    else:
        found = {name: fields.get(field) for name, field in _OF_V1.items()}
        found |= {name: _bytes(place, file) for name, file in _FILES_OF_V1.items()}
        found["used_mb"] = _bytes(place, "memory.usage_in_bytes")
        found["peak_mb"] = _bytes(place, "memory.max_usage_in_bytes")
    found["limit_mb"] = place.limit
    return {name: None if value is None else value / MB for name, value in found.items()}


def pressure_of(place: Place) -> Pressure | None:
    """How long processes of the cgroup waited for memory; v1 does not count it."""
    return parse_pressure(_file(place, "memory.pressure")) if place.unified else None


def pids_of(place: Place, *, most_folders: int = 64) -> list[int]:
    """The processes of the cgroup and of those below it, lowest first; 0 for each that cannot be seen from here."""
    pids: list[int] = []
    folders = [place.folder]
    for folder in folders:  # grows
        content = read_bytes(f"{folder}/cgroup.procs", 1 << 20) or b""
        pids += [int(line) for line in content.split() if line.isdigit() and len(line) < 10]
        try:
            with os.scandir(folder) as entries:
                below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        folders += below[: most_folders - len(folders)]
    hidden = pids.count(0)
    return [0] * hidden + sorted({*pids} - {0})


def _file(place: Place, name: str) -> bytes | None:
    return read_bytes(f"{place.folder}/{name}")


def _bytes(place: Place, name: str) -> int | None:
    return parse_bytes(_file(place, name))
