"""What the kernel has killed, as cgroups count it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memwatch.sampling import oom
from tests.sampling.test_limits import V2_MOUNT, put, reader

V2 = "low 0\nhigh 0\nmax 17\noom 3\noom_kill 2\noom_group_kill 1\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (V2.encode(), (2, 1)),
        (V1.encode(), (5, 0)),
        (b"oom_kill 2\n", (2, 0)),
        (b"oom_kill_disable 0\nunder_oom 0\n", None),
        (b"oom_kill many\n", None),
        (b"", None),
        (None, None),
    ],
)
def test_reads_the_counters_of_both_versions(content: bytes | None, found: tuple[int, int] | None) -> None:
    assert oom.parse(content) == found


@pytest.mark.parametrize("path", ["", "memory.events", "/etc/passwd", "/x/../memory_events", "relative/memory.events"])
def test_reads_nothing_else(path: str) -> None:
    assert oom.counters(path) is None


def test_finds_those_of_the_processs_own_cgroup(tmp_path: Path) -> None:
    limits = reader(tmp_path, cgroup="0::/app/web\n", mounts=V2_MOUNT)
    assert oom.OomCounters(limits).file() == ""
    put(tmp_path, "app", memory_events="oom_kill 9")
    put(tmp_path, "app/web", memory_events=V2)
    file = oom.OomCounters(limits).file()
    assert file == str(tmp_path / "sys/fs/cgroup/app/web/memory.events")
    assert oom.counters(file) == (2, 1)


def test_a_pipe_in_the_place_of_the_counters_hangs_nobody(tmp_path: Path) -> None:
    """Where they are is told by a flight record, which somebody may have made up."""
    pipe = tmp_path / "memory.events"
    os.mkfifo(pipe)
    assert oom.counters(str(pipe)) is None
