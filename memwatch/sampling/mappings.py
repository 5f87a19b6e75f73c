"""Where the resident memory of this process is: its mappings, by what they are for.

From ``/proc/self/smaps`` (proc(5)), which takes the kernel a walk over all pages: once at the baseline, and for a
recording. Memory of a library's own allocator, of threads' arenas and of mapped files shows here alone.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from memwatch.sampling.procmem import read_bytes

MOST_BYTES = 64 << 20
"""Of the file: some 50,000 mappings."""
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


def read_mappings(folder: str = "/proc/self") -> dict[str, Group] | None:
    """By the name of the group, those with most memory first; ``None`` where the system has no such file."""
    content = read_bytes(f"{folder}/smaps", MOST_BYTES)
    return grouped(content) if content else None


def grouped(content: bytes) -> dict[str, Group]:
    """Of a file like ``/proc/self/smaps``. What is not resident is left out, small groups are taken together."""
    kb: Counter[str] = Counter()
    number: Counter[str] = Counter()
    guarded = 0
    """The end of the last guard page: a thread's stack begins there."""
    for match in _MAPPING.finditer(content):
        start, end, name = int(match[1], 16), int(match[2], 16), match[4].decode(errors="replace")
        if resident := int(match[5]):
            group = STACKS if start == guarded and not name else _group(start, end, match[3], name)
            kb[group] += resident
            number[group] += 1
        elif match[3].startswith(b"---") and end - start <= _MOST_GUARD_BYTES:
            guarded = end
    found = {name: Group(size, number[name]) for name, size in kb.most_common(MOST_GROUPS)}
    rest = kb.total() - sum(group.kb for group in found.values())
    return found | ({REST: Group(rest, len(kb) - len(found))} if rest else {})


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
