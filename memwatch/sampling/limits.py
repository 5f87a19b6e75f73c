"""How far the process may grow, and how full its container is: cgroups (v2 and v1), rlimits, the host."""

from __future__ import annotations

import dataclasses
import os
import resource
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from memwatch.records import MB
from memwatch.sampling.procmem import read_bytes

_UNLIMITED = 1 << 60
"""cgroup v1 writes "no limit" as 9223372036854771712."""

_UNIFIED = ("memory.max", "memory.current", b"inactive_file")
_FIRST_VERSION = ("memory.limit_in_bytes", "memory.usage_in_bytes", b"total_inactive_file")
"""The files of cgroup v2 and v1 for limit and usage, and the field of ``memory.stat``."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The ceiling, whose it is, and the container's figures."""

    limit_mb: float | None = None
    source: str | None = None
    """``setting``, ``cgroup``, ``rlimit`` or ``host``."""
    cgroup_limit_mb: float | None = None
    """The smallest limit of the process's cgroup and all above it; ``None`` without one."""
    cgroup_used_mb: float | None = None
    """Working set (usage - inactive file) of the cgroup that has that limit, else of the process's own."""


class Place(NamedTuple):
    """The cgroup that counts a process's memory against a limit."""

    folder: str
    limit: int | None
    """Bytes."""
    unified: bool
    """Whether it is of cgroup v2."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Hierarchy:
    """Where a process's memory cgroup lives and what its files are called."""

    folders: tuple[str, ...]
    """The process's own cgroup and all above it, up to the mount."""
    limit_file: str
    usage_file: str
    inactive_field: bytes


def _unescape(field: str) -> str:
    """A path of ``mountinfo``, where blanks and the like are written in octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


def _below(path: str, root: str) -> PurePosixPath:
    """``path`` as seen below a mount that shows ``root``: a container often sees its own cgroup as the top."""
    pure = PurePosixPath(path)
    if ".." in pure.parts:
        return PurePosixPath()
    try:
        return pure.relative_to(root)
    except ValueError:
        return PurePosixPath()


def parse_cgroup(text: str) -> tuple[str | None, str | None]:
    """The paths of ``/proc/<pid>/cgroup``: ``(v2, v1's memory controller)``, ``None`` where absent."""
    unified = memory = None
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if not colon or not path.startswith("/"):
            continue
        if number == "0" and not controllers:
            unified = path
        elif "memory" in controllers.split(","):
            memory = path
    return unified, memory


def parse_mounts(text: str) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """``(mount point, root)`` of cgroup v2 and of v1's memory controller in ``/proc/<pid>/mountinfo``."""
    unified = memory = None
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields, system = before.split(" "), after.split(" ")
        if not separator or len(fields) < 5 or len(system) < 3:
            continue
        place = (_unescape(fields[4]), _unescape(fields[3]))
        if system[0] == "cgroup2":
            unified = unified or place
        elif system[0] == "cgroup" and "memory" in system[2].split(","):
            memory = memory or place
    return unified, memory


def parse_bytes(content: bytes | None) -> int | None:
    """A limit or usage file: a whole number of bytes; ``None`` for "max", the huge numbers of v1, and nonsense."""
    text = (content or b"").strip()
    if not text.isdigit():
        return None
    value = int(text)
    return None if value >= _UNLIMITED else value


def parse_stat(content: bytes | None, field: bytes) -> int | None:
    """One field of ``memory.stat``."""
    for line in (content or b"").splitlines():
        name, _, value = line.partition(b" ")
        if name == field and value.strip().isdigit():
            return int(value)
    return None


def rlimit_bytes() -> int | None:
    """The smaller of this process's soft ``RLIMIT_AS`` and ``RLIMIT_DATA``."""
    soft = [resource.getrlimit(which)[0] for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min((value for value in soft if value != resource.RLIM_INFINITY and 0 <= value < _UNLIMITED), default=None)


def host_bytes() -> int | None:
    """The host's physical memory."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


class LimitReader:
    """Reads the limits of this process. ``proc`` and ``root`` lead elsewhere in tests."""

    def __init__(
        self, *, setting_mb: float | None = None, proc: Path | str = "/proc/self", root: Path | str = "/"
    ) -> None:
        self._setting_mb = setting_mb
        self._proc = str(proc)
        self._root = str(root).rstrip("/")
        self._membership: bytes | None = None
        self._found: list[_Hierarchy] = []

    def read(self) -> Limits:
        """The limits of now: they may be changed while the process runs."""
        limit, used = self._cgroup()
        candidates = [(limit, "cgroup"), (rlimit_bytes(), "rlimit"), (host_bytes(), "host")]
        known = [(value / MB, source) for value, source in candidates if value]
        if self._setting_mb is not None:
            known = [(self._setting_mb, "setting")]
        smallest, source = min(known, default=(None, None))
        return Limits(
            limit_mb=smallest,
            source=source,
            cgroup_limit_mb=None if limit is None else limit / MB,
            cgroup_used_mb=None if used is None else used / MB,
        )

    def own_folders(self) -> list[str]:
        """The process's own memory cgroup, of v2 and of v1, where there are such."""
        return [hierarchy.folders[0] for hierarchy in self._now()]

    def place(self) -> Place | None:
        """The cgroup with the smallest limit, else the process's own; ``None`` where there is none with figures."""
        for hierarchy in self._now():
            limit, folder = _narrowest(hierarchy)
            if parse_bytes(read_bytes(f"{folder}/{hierarchy.usage_file}")) is not None:
                return Place(folder, limit, unified=hierarchy.limit_file == _UNIFIED[0])
        return None

    def _cgroup(self) -> tuple[int | None, int | None]:
        """``(limit, working set)`` in bytes, of v2 where it has the memory controller, else of v1."""
        for hierarchy in self._now():
            limit, used = _read(hierarchy)
            if limit is not None or used is not None:
                return limit, used
        return None, None

    def _now(self) -> list[_Hierarchy]:
        """Where the process is now: it may be moved."""
        membership = read_bytes(f"{self._proc}/cgroup") or b""
        if membership != self._membership:
            self._membership, self._found = membership, self._hierarchies(membership)
        return self._found

    def _hierarchies(self, membership: bytes) -> list[_Hierarchy]:
        mounts = (read_bytes(f"{self._proc}/mountinfo", 1 << 20) or b"").decode(errors="replace")
        found = []
        paths = parse_cgroup(membership.decode(errors="replace"))
        for path, mount, names in zip(paths, parse_mounts(mounts), (_UNIFIED, _FIRST_VERSION), strict=True):
            if path is not None and mount is not None:
                below = _below(path, mount[1])
                folders = (PurePosixPath(f"{self._root}{mount[0]}") / part for part in (below, *below.parents))
                found.append(_Hierarchy(tuple(map(str, folders)), *names))
        return found


def _narrowest(hierarchy: _Hierarchy) -> tuple[int | None, str]:
    """The smallest limit in bytes and whose it is; without one the process's own cgroup."""
    limit, place = None, hierarchy.folders[0]
    for folder in hierarchy.folders:
        value = parse_bytes(read_bytes(f"{folder}/{hierarchy.limit_file}"))
        if value is not None and (limit is None or value < limit):
            limit, place = value, folder
    return limit, place


def _read(hierarchy: _Hierarchy) -> tuple[int | None, int | None]:
    limit, place = _narrowest(hierarchy)
    usage = parse_bytes(read_bytes(f"{place}/{hierarchy.usage_file}"))
    inactive = parse_stat(read_bytes(f"{place}/memory.stat"), hierarchy.inactive_field)
    return limit, None if usage is None else max(usage - (inactive or 0), 0)
