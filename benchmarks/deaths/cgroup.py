"""A memory cgroup of the benchmark's own, of either version: made, limited, filled and removed."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from memwatch.sampling.limits import parse_cgroup, parse_mounts
from tests.waiting import until

_FILES = {1: ("memory.limit_in_bytes", "memory.oom_control"), 2: ("memory.max", "memory.events")}
_FIRST = 900
"""To spare a process by a score below 0 would need a capability that containers lack."""
_number = itertools.count()


def place() -> tuple[int, Path] | None:
    """Version and folder in which a cgroup with a limit can be made; ``None``: there is no permission, or no cgroup."""
    paths = parse_cgroup(Path("/proc/self/cgroup").read_text())
    mounts = parse_mounts(Path("/proc/self/mountinfo").read_text())
    for version, path, mount in zip((2, 1), paths, mounts, strict=True):
        if path is None or mount is None:
            continue
        root = Path(mount[0])
        own = root / Path(path).relative_to(mount[1]) if path.startswith(mount[1]) else root
        if not os.access(own, os.W_OK):
            continue
        if version == 1 or _delegates(own):
            return version, own
    return None


def _delegates(folder: Path) -> bool:
    """Whether the cgroups below have limits of memory. Only the root may have processes of its own then."""
    try:
        if "memory" not in (folder / "cgroup.controllers").read_text().split():
            return False
        (folder / "cgroup.subtree_control").write_text("+memory")
    except OSError:
        return False
    return True


class Group:
    """One cgroup."""

    def __init__(self, version: int, folder: Path) -> None:
        self.folder = folder
        self._limit, self._events = (folder / name for name in _FILES[version])

    def limit(self, mb: float) -> None:
        """Of memory, and of memory and swap together where that is counted."""
        self._limit.write_text(str(int(mb * 2**20)))
        swap = self.folder / "memory.memsw.limit_in_bytes"
        with contextlib.suppress(OSError):
            swap.write_text(str(int(mb * 2**20)))
        with contextlib.suppress(OSError):
            (self.folder / "memory.swap.max").write_text("0")

    def kill_together(self) -> None:
        """From now on the kernel kills all of its processes when it kills one."""
        (self.folder / "memory.oom.group").write_text("1")

    @property
    def held_mb(self) -> float:
        """What it holds that the kernel cannot simply drop: all but pages of files."""
        fields = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        names = ("total_rss", "total_shmem") if "total_rss" in fields else ("anon", "shmem")
        return sum(int(fields.get(name, 0)) for name in names) / 2**20

    @property
    def kills(self) -> int:
        """Processes that the kernel has killed for lack of memory."""
        fields = dict(line.split() for line in self._events.read_text().splitlines())
        return int(fields.get("oom_kill", 0))

    def entering(self, *, first_to_die: bool = False) -> tuple[str, ...]:
        """What a command begins with to run in it; its processes can be those that the kernel kills before others."""
        score = f"echo {_FIRST} > /proc/self/oom_score_adj; " if first_to_die else ""
        return ("sh", "-c", f'{score}echo 0 > {self.folder}/cgroup.procs; exec "$@"', "sh")

    def close(self) -> None:
        """End what is left in it, and remove it."""

        def is_empty() -> bool:
            pids = (self.folder / "cgroup.procs").read_text().split()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            return not pids

        until(is_empty, within_s=20)
        until(self._is_removed, within_s=20)

    def _is_removed(self) -> bool:
        with contextlib.suppress(OSError):
            self.folder.rmdir()
        return not self.folder.exists()


@contextlib.contextmanager
def group(where: tuple[int, Path] | None) -> Iterator[Group | None]:
    """A new one."""
    if where is None:
        yield None
        return
    version, parent = where
    folder = parent / f"memwatch-deaths-{os.getpid()}-{next(_number)}"
    folder.mkdir()
    made = Group(version, folder)
    try:
        yield made
    finally:
        made.close()
