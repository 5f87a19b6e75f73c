"""Limits: what the process may grow to, and how full its container is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwatch.sampling.limits import LimitReader, host_bytes, parse_bytes, parse_cgroup, parse_mounts, parse_stat

MB = 1024 * 1024
V2_MOUNT = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "35 31 0:32 {root} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"


def reader(folder: Path, *, cgroup: str, mounts: str, **files: str) -> LimitReader:
    """A reader of a made-up /proc and /sys: ``files`` by path, ``__`` for a slash and ``_dot_`` for a dot."""
    proc = folder / "proc"
    proc.mkdir(exist_ok=True)
    (proc / "cgroup").write_text(cgroup)
    (proc / "mountinfo").write_text(mounts)
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return LimitReader(proc=proc, root=folder)


def put(folder: Path, cgroup: str, **files: str | int) -> None:
    place = folder / "sys/fs/cgroup" / cgroup
    place.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (place / name.replace("memory_", "memory.")).write_text(f"{content}\n")


def test_v2_takes_the_smallest_limit_of_all_ancestors_and_what_is_used_there(tmp_path: Path) -> None:
    put(tmp_path, "", memory_stat="inactive_file 1")
    put(tmp_path, "app", memory_max=512 * MB, memory_current=300 * MB, memory_stat=f"anon 5\ninactive_file {50 * MB}")
    put(tmp_path, "app/pod", memory_max="max", memory_current=200 * MB, memory_stat="inactive_file 0")
    put(tmp_path, "app/pod/worker", memory_max=900 * MB, memory_current=100 * MB, memory_stat="inactive_file 0")
    limits = reader(tmp_path, cgroup="0::/app/pod/worker\n", mounts=V2_MOUNT).read()
    assert (limits.cgroup_limit_mb, limits.cgroup_used_mb) == (512, 250)
    assert (limits.limit_mb, limits.source) == (512, "cgroup")


def test_without_a_limit_the_host_counts_and_the_own_cgroups_use_is_told(tmp_path: Path) -> None:
    put(tmp_path, "app", memory_max="max", memory_current=10 * MB, memory_stat=f"inactive_file {MB}")
    limits = reader(tmp_path, cgroup="0::/app\n", mounts=V2_MOUNT).read()
    assert (limits.cgroup_limit_mb, limits.cgroup_used_mb) == (None, 9)
    assert limits.source == "host"
    assert limits.limit_mb == (host_bytes() or 0) / MB


def test_a_container_that_sees_its_own_cgroup_as_the_top(tmp_path: Path) -> None:
    put(tmp_path, "", memory_max=256 * MB, memory_current=100 * MB, memory_stat="inactive_file 0")
    mounts = "31 23 0:28 /../../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
    limits = reader(tmp_path, cgroup="0::/../../docker/abc\n", mounts=mounts).read()
    assert (limits.cgroup_limit_mb, limits.cgroup_used_mb) == (256, 100)


def test_v1_and_its_way_of_saying_unlimited(tmp_path: Path) -> None:
    memory = {"memory_usage_in_bytes": 64 * MB, "memory_stat": f"total_inactive_file {14 * MB}\ninactive_file 1"}
    put(tmp_path, "memory/docker/abc", memory_limit_in_bytes=128 * MB, **memory)
    put(tmp_path, "memory/docker", memory_limit_in_bytes=9223372036854771712, **memory)
    cgroup = "4:memory:/docker/abc\n1:cpu:/\n0::/\n"
    limits = reader(tmp_path, cgroup=cgroup, mounts=V1_MOUNT.format(root="/")).read()
    assert (limits.cgroup_limit_mb, limits.cgroup_used_mb) == (128, 50)
    put(tmp_path, "memory/docker/abc", memory_limit_in_bytes=9223372036854771712)
    assert reader(tmp_path, cgroup=cgroup, mounts=V1_MOUNT.format(root="/")).read().cgroup_limit_mb is None


def test_v1_mounted_from_within_the_container(tmp_path: Path) -> None:
    put(tmp_path, "memory", memory_limit_in_bytes=MB, memory_usage_in_bytes=MB, memory_stat="total_inactive_file 0")
    limits = reader(tmp_path, cgroup="4:memory:/docker/abc\n", mounts=V1_MOUNT.format(root="/docker/abc")).read()
    assert limits.cgroup_limit_mb == 1


def test_a_limit_that_changes_and_a_process_that_is_moved_are_noticed(tmp_path: Path) -> None:
    put(tmp_path, "a", memory_max=100 * MB, memory_current=0)
    put(tmp_path, "b", memory_max=300 * MB, memory_current=0)
    limits = reader(tmp_path, cgroup="0::/a\n", mounts=V2_MOUNT)
    assert limits.read().cgroup_limit_mb == 100
    put(tmp_path, "a", memory_max=200 * MB)
    assert limits.read().cgroup_limit_mb == 200
    (tmp_path / "proc/cgroup").write_text("0::/b\n")
    assert limits.read().cgroup_limit_mb == 300


def test_the_setting_beats_everything(tmp_path: Path) -> None:
    limits = LimitReader(setting_mb=77, proc=tmp_path, root=tmp_path).read()
    assert (limits.limit_mb, limits.source) == (77, "setting")


def test_a_system_without_cgroups_has_the_hosts_memory(tmp_path: Path) -> None:
    limits = LimitReader(proc=tmp_path / "absent", root=tmp_path).read()
    assert (limits.cgroup_limit_mb, limits.cgroup_used_mb, limits.source) == (None, None, "host")


@pytest.mark.parametrize("which", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_an_rlimit_is_the_ceiling_when_it_is_the_smallest(which: str) -> None:
    code = (
        f"import resource; resource.setrlimit(resource.{which}, (600 * 1024 * 1024,) * 2)\n"
        "from memwatch.sampling.limits import LimitReader\n"
        "limits = LimitReader(proc='/absent').read(); print(limits.limit_mb, limits.source)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["600.0", "rlimit"]


def test_this_process_has_limits() -> None:
    limits = LimitReader().read()
    assert limits.limit_mb is not None
    assert limits.limit_mb > 0
    assert limits.source in {"cgroup", "rlimit", "host"}


@given(st.text(max_size=300))
def test_no_text_of_proc_confuses_the_parsers(text: str) -> None:
    parse_cgroup(text)
    parse_mounts(text)
    value = parse_bytes(text.encode(errors="replace"))
    assert value is None or value >= 0
    parse_stat(text.encode(errors="replace"), b"inactive_file")


@given(st.integers(min_value=0, max_value=1 << 59))
def test_a_limit_survives_its_file(value: int) -> None:
    assert parse_bytes(f"{value}\n".encode()) == value


@given(st.lists(st.from_regex(r"[a-z0-9_.@-]{1,12}", fullmatch=True), max_size=6))
def test_a_path_survives_the_cgroup_file(parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    assert parse_cgroup(f"12:cpu,memory:{path}\n0::{path}\n") == (path, path)


def test_a_mount_point_with_blanks() -> None:
    assert parse_mounts("1 2 0:3 / /mnt/my\\040groups rw - cgroup2 none rw\n")[0] == ("/mnt/my groups", "/")
