"""Where the resident memory of this process is: its mappings, by what they are for.

From ``/proc/self/smaps`` (proc(5)), which takes the kernel a walk over all pages: once at the baseline, and for a
recording. Memory of a library's own allocator, of threads' arenas and of mapped files shows here alone.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from typing import NamedTuple

LONGEST_S = 0.25
"""Of CPU time: enough for some ten thousand mappings."""
_PART_BYTES, _MOST_LEFT = 65_536, 262_144
MOST_GROUPS = 60
REST = "other mappings"
ARENA_BYTES = 64 << 20
"""glibc places the heap of each arena but the first at a multiple of this (``HEAP_MAX_SIZE``, malloc/arena.c)."""
_MB = 1 << 20
_MOST_GUARD_BYTES = 1 << 20

BRK = "malloc, first arena"
ARENAS = "malloc, arenas of threads"
STACKS = "stacks of threads"
SHARED = "shared memory"
SMALL, MIDDLE, LARGE = "anonymous, up to 1 MB each", "anonymous, 1 to 64 MB each", "anonymous, 64 MB and more each"

_MAPPING = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) (\S+) [0-9a-f]+ \S+ \d+ *([^\n]*)\n(?:[A-Z][A-Za-z_]*: [^\n]*\n)*?Rss: +(\d+) kB",
    re.MULTILINE,
)


class Group(NamedTuple):
    """Mappings of one kind."""

    kb: int
    """Resident, in KB."""
    mappings: int


def read_mappings(folder: str = "/proc/self", *, longest_s: float = LONGEST_S) -> dict[str, Group] | None:
    """By the name of the group, those with most memory first.

    ``None`` where the system has no such file, and where so much CPU time was not enough to read it.
    """
    try:
        descriptor = os.open(f"{folder}/smaps", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found, left, until = _Groups(), b"", time.thread_time() + longest_s
    try:
        while part := os.read(descriptor, _PART_BYTES):
            content = left + part
            whole = content.find(b"\n", content.rfind(b"\nVmFlags:") + 1) + 1  # it ends each mapping
            found.add(content[:whole])
            left = content[whole:]
            if len(left) > _MOST_LEFT or time.thread_time() > until:
                return None
    except OSError:
        return None
    finally:
        os.close(descriptor)
    found.add(left)
    return found.largest()


def grouped(content: bytes) -> dict[str, Group]:
    """Of a file like ``/proc/self/smaps``. What is not resident is left out, small groups are taken together."""
    found = _Groups()
    found.add(content)
    return found.largest()


class _Groups:
    def __init__(self) -> None:
        self._kb: Counter[str] = Counter()
        self._number: Counter[str] = Counter()
        self._guarded = 0
        """The end of the last guard page: a thread's stack begins there."""

    def add(self, content: bytes) -> None:
        """Whole mappings, in the order of their addresses."""
        for match in _MAPPING.finditer(content):
            start, end, name = int(match[1], 16), int(match[2], 16), match[4].decode(errors="replace")
            if resident := int(match[5]):
                stack = start == self._guarded and not name
                group = STACKS if stack else _group(start, end, match[3], name)
                self._kb[group] += resident
                self._number[group] += 1
            elif match[3].startswith(b"---") and end - start <= _MOST_GUARD_BYTES:
                self._guarded = end

    def largest(self) -> dict[str, Group]:
        """Those with most memory first, the rest as one."""
        found = {name: Group(size, self._number[name]) for name, size in self._kb.most_common(MOST_GROUPS)}
        kb = self._kb.total() - sum(group.kb for group in found.values())
        number = self._number.total() - sum(group.mappings for group in found.values())
        return found | ({REST: Group(kb, number)} if number else {})


def _group(start: int, end: int, rights: bytes, name: str) -> str:
    if name.startswith("["):
        return _special(name)
    if name:
        return _file(name)
    if start % ARENA_BYTES == 0 and end - start <= ARENA_BYTES and rights.startswith(b"rw"):
        return ARENAS
    size = end - start
    return SMALL if size <= _MB else MIDDLE if size < 64 * _MB else LARGE


def _special(name: str) -> str:
    if name == "[heap]":
        return BRK
    if name.startswith("[stack"):
        return STACKS
    if name.startswith("[anon_shmem:"):
        return SHARED
    return f"named {name[6:-1]}" if name.startswith("[anon:") else name


def _file(name: str) -> str:
    if name.startswith(("/dev/shm/", "/memfd:", "/SYSV", "/dev/zero")):  # noqa: S108 - names that the kernel gives
        return SHARED
    base = name.removesuffix(" (deleted)").rpartition("/")[2]
    return f"{base}, {'library' if '.so' in base else 'file'}"
