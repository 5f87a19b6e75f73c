"""The figures of a memory cgroup: v2 and v1, old kernels, missing and hostile files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwatch.records.surroundings import Pressure
from memwatch.sampling.limits import Place
from memwatch.sampling.surroundings.cgroup import (
    is_machine,
    memory_of,
    parse_fields,
    parse_pressure,
    pids_of,
    pressure_of,
)

MB = 1024 * 1024
V2 = {"anon": 300, "file": 200, "file_mapped": 40, "inactive_file": 120, "shmem": 25, "slab": 12, "sock": 3}


def place(folder: Path, *, unified: bool = True, limit: int | None = None, **files: str | int) -> Place:
    """A made-up cgroup: files by name, ``_`` for the first dot."""
    for name, content in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{content}\n")
    return Place(str(folder), limit, unified=unified)


def stat(fields: dict[str, int]) -> str:
    return "\n".join(f"{name} {mb * MB}" for name, mb in fields.items())


def test_cgroup_v2(tmp_path: Path) -> None:
    found = memory_of(
        place(
            tmp_path, limit=1024 * MB, memory_stat=stat({**V2, "kernel": 30}), memory_current=560 * MB,
            memory_peak=900 * MB,
        )
    )  # fmt: skip
    assert found == {
        "used_mb": 560, "limit_mb": 1024, "peak_mb": 900, "anon_mb": 300, "file_mb": 200, "mapped_mb": 40,
        "inactive_file_mb": 120, "shmem_mb": 25, "kernel_mb": 30, "slab_mb": 12, "sock_mb": 3,
    }  # fmt: skip


def test_an_older_kernel_gives_the_parts_of_its_own_memory(tmp_path: Path) -> None:
    parts = {**V2, "kernel_stack": 1, "pagetables": 4, "percpu": 2}
    assert memory_of(place(tmp_path, memory_stat=stat(parts)))["kernel_mb"] == 12 + 3 + 1 + 4 + 2


def test_cgroup_v1(tmp_path: Path) -> None:
    fields = {"rss": 1, "total_rss": 300, "total_cache": 200, "total_mapped_file": 40, "total_inactive_file": 120}
    found = memory_of(
        place(
            tmp_path, unified=False, memory_stat=stat(fields), memory_usage_in_bytes=530 * MB,
            memory_max_usage_in_bytes=700 * MB, **{"memory_kmem.usage_in_bytes": 30 * MB},
        )
    )  # fmt: skip
    wanted = {"used_mb": 530, "peak_mb": 700, "anon_mb": 300, "file_mb": 200, "mapped_mb": 40, "inactive_file_mb": 120}
    assert found == {**wanted, "kernel_mb": 30, "shmem_mb": None, "sock_mb": None, "limit_mb": None}


@pytest.mark.parametrize(
    "content", ["", "anon", "anon -5\nfile 1e9", "anon " + "9" * 4000, "\0\0\0", "anon 5 5\nfile\t7"]
)
def test_a_memory_stat_that_says_nothing_sensible_leaves_the_figures_unknown(tmp_path: Path, content: str) -> None:
    found = memory_of(place(tmp_path, memory_stat=content, memory_current="max"))
    assert set(found.values()) == {None}


def test_without_any_file_nothing_is_known(tmp_path: Path) -> None:
    gone = Place(str(tmp_path / "gone"), None, unified=True)
    assert set(memory_of(gone).values()) == {None}
    assert pressure_of(gone) is None
    assert pids_of(gone) == []


def test_pressure_is_that_of_the_cgroup(tmp_path: Path) -> None:
    text = "some avg10=12.50 avg60=3.25 avg300=0.10 total=123\nfull avg10=8.00 avg60=1.00 avg300=0.00 total=45"
    assert pressure_of(place(tmp_path, memory_pressure=text)) == Pressure(12.5, 3.25, 8.0, 1.0)
    assert pressure_of(place(tmp_path, unified=False, memory_pressure=text)) is None


@pytest.mark.parametrize(
    ("content", "pressure"),
    [
        (b"", None),
        (b"some avg10=nan avg60=1 ", None),
        (b"some avg10=1.2.3 avg60=1.0 avg300=0", None),
        (b"some avg10=1.0 avg60=2.0 avg300=0.0 total=1", Pressure(1.0, 2.0, None, None)),
        (b"some avg10=900.0 avg60=2.0 avg300=0.0", Pressure(100.0, 2.0, None, None)),
    ],
)
def test_odd_pressures(content: bytes, pressure: Pressure | None) -> None:
    assert parse_pressure(content) == pressure


@given(st.binary(max_size=300))
def test_no_content_is_an_error(content: bytes) -> None:
    assert all(value >= 0 for value in parse_fields(content).values())
    parse_pressure(content)


def test_the_processes_below_belong_to_it_and_those_of_another_namespace_are_counted(tmp_path: Path) -> None:
    (tmp_path / "worker" / "job").mkdir(parents=True)
    (tmp_path / "cgroup.procs").write_text("0\n7\n0\n")
    (tmp_path / "worker" / "cgroup.procs").write_text("5\n7\nnonsense\n")
    (tmp_path / "worker" / "job" / "cgroup.procs").write_text("30\n")
    assert pids_of(Place(str(tmp_path), None, unified=True)) == [0, 0, 5, 7, 30]


def test_the_root_of_a_hierarchy_is_the_machine(tmp_path: Path) -> None:
    assert not is_machine(Place(str(tmp_path), None, unified=False))
    (tmp_path / "release_agent").touch()
    assert is_machine(Place(str(tmp_path), None, unified=False))
