"""What the allocators say."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from memwatch.sampling.allocator import AllocatorFigures, Allocators, own_source, parse_pymalloc
from memwatch.sampling.allocator.functions import AllocatorFunctions

REPORT = (
    "import sys; from memwatch.sampling.allocator import Allocators\n"
    "f = Allocators().read(); print(f.pymalloc_used_mb, f.malloc_used_mb, f.used_mb, f.pymalloc_off)"
)


def test_small_objects_are_pymallocs_and_large_ones_mallocs() -> None:
    allocators = Allocators()
    before = allocators.read()
    small = [bytes(100 + number % 50) for number in range(50_000)]
    between = allocators.read()
    large = bytearray(20 * 1024 * 1024)
    after = allocators.read()
    assert before.pymalloc_used_mb is not None
    assert between.pymalloc_used_mb is not None
    assert 5 < between.pymalloc_used_mb - before.pymalloc_used_mb < 12
    if before.malloc_used_mb is not None:  # glibc
        assert after.malloc_used_mb is not None
        assert between.malloc_used_mb is not None
        assert 19 < after.malloc_used_mb - between.malloc_used_mb < 22
        assert after.used_mb is not None
        assert after.committed_mb is not None
        assert after.used_mb <= after.committed_mb
    assert len(small) + len(large) > 0


def test_the_compiled_part_and_ctypes_say_the_same() -> None:
    compiled, functions = own_source(), AllocatorFunctions()
    one, other = compiled.malloc_bytes(), functions.malloc_bytes()
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert all(abs(first - second) < 1024 * 1024 for first, second in zip(one, other, strict=True))
    texts = [each.pymalloc_text() for each in (compiled, functions)]
    pairs = [parse_pymalloc(text or b"") for text in texts]
    assert (pairs[0] is None) == (pairs[1] is None)
    if pairs[0] is not None and pairs[1] is not None:
        assert abs(pairs[0][0] - pairs[1][0]) < 1024 * 1024


def test_it_writes_nothing_to_stderr_and_leaks_no_memory() -> None:
    code = (
        "import sys; from memwatch.sampling.allocator import Allocators; a = Allocators()\n"
        "for _ in range(50): a.read()\n"
        "b = a.read().malloc_used_mb\n"
        "for _ in range(500): a.read()\n"
        "print((a.read().malloc_used_mb or 0) - (b or 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    assert float(done.stdout) < 0.1


def test_without_pymalloc_mallocs_figure_is_the_whole() -> None:
    environment = {**os.environ, "PYTHONMALLOC": "malloc"}
    done = subprocess.run(
        [sys.executable, "-c", REPORT], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    pymalloc, malloc, used, off = done.stdout.split()
    assert (pymalloc, off) == ("None", "True")
    assert used == malloc


def test_a_platform_that_lacks_the_functions_gives_nothing() -> None:
    class Bare:
        """A C library without any of them: musl, macOS, an old glibc."""

    figures = Allocators(AllocatorFunctions(Bare())).read()  # type: ignore[arg-type]
    assert figures == AllocatorFigures()
    assert figures.used_mb is None


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    assert AllocatorFigures(pymalloc_used_mb=5.0).used_mb is None
    assert AllocatorFigures(malloc_committed_mb=5.0).committed_mb is None


@given(st.integers(0, 1 << 40), st.integers(0, 100_000))
def test_the_debug_text_is_parsed(used: int, arenas: int) -> None:
    text = (
        f"# arenas allocated total           = {arenas:20,}\n"
        f"{arenas} arenas * 1048576 bytes/arena     = {arenas * 1048576:20,}\n\n"
        f"# bytes in allocated blocks        = {used:20,}\n"
    )
    assert parse_pymalloc(text.encode()) == (used, arenas * 1048576)


@given(st.binary(max_size=200))
def test_another_text_gives_nothing(text: bytes) -> None:
    assert parse_pymalloc(text) is None


def test_while_allocations_are_traced_pymallocs_bytes_are_told_by_its_blocks() -> None:
    allocators = Allocators()
    before = allocators.read().pymalloc_used_mb
    tracemalloc.start()
    try:
        kept = [bytes(100) for _ in range(50_000)]
        traced = allocators.read()
    finally:
        tracemalloc.stop()
    after = allocators.read().pymalloc_used_mb
    assert before is not None
    assert after is not None
    assert traced.pymalloc_used_mb is not None
    assert not traced.pymalloc_off
    assert before < traced.pymalloc_used_mb < 2 * after
    assert len(kept) == 50_000
