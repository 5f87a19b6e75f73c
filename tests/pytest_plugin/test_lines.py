"""Which line is named."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections import deque
from pathlib import Path

import pytest

from memwatch.pytest_plugin import system_memory
from memwatch.pytest_plugin.calls import Calls, run
from memwatch.pytest_plugin.cause import containers, native_lines
from memwatch.pytest_plugin.cause.tracing import line_of
from memwatch.pytest_plugin.findings import Growth


@pytest.mark.skipif(sys.platform != "linux" or "musl" in sys.version, reason="the C library does not tell what is used")
def test_small_objects_are_not_taken_for_native_memory() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    texts: list[str] = []

    def call() -> None:
        texts.extend(str(10**30 + number) for number in range(10))
        libc.malloc(400)

    growth = Growth(kind="native", type="native", unit="KiB", grown=400, calls=1_000)
    calls = Calls(30.0)
    line = run(line_of(growth, 200, calls), call, calls)
    assert line is not None
    assert line.code_line == "libc.malloc(400)"


def test_what_comes_and_goes_is_seen_to_fall_in_one_of_many_parts() -> None:
    assert containers.parts(100) == (25, 25, 25, 25)
    assert sum(containers.parts(3)) == 3
    growth = Growth(kind="native", type="native", unit="KiB", grown=400, calls=1_000)
    kept, jobs = [100, 110, 120, 130, 140], [40, 90, 60, 120, 180]
    looks = [{1: (list, each), 2: (deque, others)} for each, others in zip(kept, jobs, strict=True)]
    found = containers.grown(looks, growth, 100)
    assert found is not None
    assert found.token == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells what is mapped on Linux alone")
def test_deep_calls_and_long_ones_end_the_watch_and_not_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[mmap.mmap] = []

    def deep(more: int) -> None:
        if more:
            deep(more - 1)
        else:
            kept.append(mmap.mmap(-1, 256 * 1024, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))

    def call() -> None:
        deep(700)

    calls = Calls(60.0)
    frames = run(native_lines.native_frames(12, 256.0, system_memory.data_kib, calls), call, calls)
    assert frames
    assert {Path(file) for file, _line in frames} == {Path(__file__)}

    monkeypatch.setattr(native_lines, "LONGEST_S", 0.05)
    calls = Calls(60.0)
    assert run(native_lines.native_frames(400, 256.0, system_memory.data_kib, calls), call, calls) is None
    assert sys.gettrace() is None
