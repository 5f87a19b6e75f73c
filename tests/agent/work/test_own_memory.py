"""Figures of this very process, through descriptors that the host may close."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from memwatch.agent.work.own_memory import ALIKE_KIB, OwnMemory

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc")


def test_agrees_with_psutil() -> None:
    assert OwnMemory().rss_kib() == pytest.approx(psutil.Process().memory_info().rss / 1024, rel=0.02)


def test_the_peak_falls_to_what_is_resident() -> None:
    memory = OwnMemory()
    block = bytearray(64 * 1024 * 1024)
    block[::4096] = b"x" * len(block[::4096])
    del block
    before = memory.peak_kib() or 0
    assert memory.reset_peak()
    assert (memory.peak_kib() or 0) <= before - 50 * 1024


def test_both_ways_say_the_same_peak() -> None:
    memory = OwnMemory()
    assert memory.reset_peak()
    assert memory._by_usage
    block = bytearray(64 * 1024 * 1024)
    block[::4096] = b"x" * len(block[::4096])
    del block
    assert memory.peak_kib() == pytest.approx(memory._status_kib(), abs=ALIKE_KIB)


def test_a_process_that_was_larger_before_its_exec_asks_the_kernel_for_its_own_peak() -> None:
    program = (
        "from memwatch.agent.work.own_memory import OwnMemory\n"
        "memory = OwnMemory(); memory.reset_peak()\n"
        "print(memory._by_usage, memory.peak_kib() < 150 * 1024)\n"
    )
    before = (
        "import os, sys\n"
        "block = bytearray(300 * 1024 * 1024)\n"
        "block[::4096] = b'x' * len(block[::4096])\n"
        "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])\n"
    )
    done = subprocess.run([sys.executable, "-c", before, program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_writes_into_no_file_of_the_host_that_took_over_a_descriptor(tmp_path: Path) -> None:
    memory = OwnMemory()
    for kept in (memory._statm, memory._status):
        os.close(kept._descriptor)
    files = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in ("a", "b")]
    try:
        assert set(files) & {memory._statm._descriptor, memory._status._descriptor}
        memory.reset_peak()
        assert memory.rss_kib() is None
        memory.check()
        assert memory.rss_kib()
        assert all(not os.fstat(descriptor).st_size for descriptor in files)
    finally:
        for descriptor in files:
            os.close(descriptor)


def test_closes_no_descriptor_of_the_host(tmp_path: Path) -> None:
    memory = OwnMemory()
    for kept in (memory._statm, memory._status):
        os.close(kept._descriptor)
    files = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in ("a", "b")]
    memory.close()
    for descriptor in files:
        os.fstat(descriptor)
        os.close(descriptor)


def test_the_peak_can_be_reset_again_after_the_host_had_no_descriptor_left() -> None:
    memory = OwnMemory()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        assert not memory.reset_peak()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert memory.reset_peak()
