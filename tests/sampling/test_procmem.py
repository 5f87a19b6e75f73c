"""What the system says about the process."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path

import psutil

from memwatch.records import MB
from memwatch.sampling.procmem import ProcessMemory, ResidentFigures, SharedFigures, read_bytes


def test_figures_agree_with_psutil() -> None:
    resident, shared = ProcessMemory().resident(), ProcessMemory().shared()
    expected = psutil.Process().memory_full_info()
    assert resident.rss_mb is not None
    assert resident.vms_mb is not None
    assert shared.uss_mb is not None
    assert shared.pss_mb is not None
    assert abs(resident.rss_mb - expected.rss / MB) < 3
    assert abs(resident.vms_mb - expected.vms / MB) < 3
    assert abs(shared.uss_mb - expected.uss / MB) < 3
    assert shared.uss_mb <= shared.pss_mb + 0.01 <= resident.rss_mb + 3
    assert shared.swap_mb is not None
    assert resident.threads == threading.active_count() or resident.threads == psutil.Process().num_threads()


def test_page_faults_are_those_that_the_kernel_counts_for_the_process() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    found = ProcessMemory().resident().page_faults
    after = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    assert found is not None
    assert before <= found <= after


def test_a_process_name_with_brackets_does_not_shift_the_fields(tmp_path: Path) -> None:
    (tmp_path / "statm").write_text("1000 256 1 1 0 1 0\n")
    (tmp_path / "stat").write_text("1 (a) b (c) S 1 1 1 0 -1 4 0 0 7 0 0 0 0 0 20 0 13 0 5 0 0\n")
    resident = ProcessMemory(tmp_path).resident()
    page = os.sysconf("SC_PAGE_SIZE")
    assert resident == ResidentFigures(rss_mb=256 * page / MB, vms_mb=1000 * page / MB, threads=13, page_faults=7)


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "statm").write_text("nonsense")
    assert ProcessMemory(tmp_path).resident() == ResidentFigures()
    assert ProcessMemory(tmp_path).shared() == SharedFigures()
    (tmp_path / "smaps_rollup").write_text("00-ff ---p 00000000 00:00 0 [rollup]\n")
    assert ProcessMemory(tmp_path).shared() == SharedFigures()


def test_files_longer_than_a_page_are_read_whole(tmp_path: Path) -> None:
    assert len(read_bytes("/proc/self/maps", 1 << 22) or b"") > 4096
    (tmp_path / "long").write_bytes(b"x" * 10_000)
    assert read_bytes(str(tmp_path / "long"), 5_000) == b"x" * 5_000
    assert read_bytes(str(tmp_path / "absent")) is None
    assert read_bytes(str(tmp_path)) is None
