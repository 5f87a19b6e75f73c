"""Where the resident memory of this process is."""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path

import pytest

from memwatch.sampling import mappings
from memwatch.sampling.mappings import Group, grouped, read_mappings
from memwatch.sampling.procmem import ProcessMemory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
MB = 1024
"""In KB."""


def kb(name: str) -> int:
    found = read_mappings()
    assert found is not None
    return found[name].kb if name in found else 0


def test_all_groups_together_are_the_resident_memory():
    found, resident = read_mappings(), ProcessMemory().resident()
    assert found is not None
    assert sum(group.kb for group in found.values()) == pytest.approx((resident.rss_mb or 0) * MB, rel=0.05)


def test_a_large_anonymous_block_is_in_its_group():
    before = kb(mappings.LARGE)
    block = mmap.mmap(-1, 96 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.write(bytes(96 << 20))
    assert kb(mappings.LARGE) - before == pytest.approx(96 * MB, rel=0.05)
    block.close()
    assert kb(mappings.LARGE) - before < MB


def test_memory_that_processes_share_is_told_apart():
    before = kb(mappings.SHARED)
    shared = mmap.mmap(-1, 20 << 20)
    shared.write(bytes(20 << 20))
    assert kb(mappings.SHARED) - before == pytest.approx(20 * MB, rel=0.05)
    shared.close()


def test_a_file_in_memory_goes_by_its_name(tmp_path: Path):
    file = tmp_path / "prices.bin"
    file.write_bytes(bytes(8 << 20))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        assert len(content.read()) == 8 << 20
        assert kb("prices.bin, file") == 8 * MB


IN_A_THREAD = """
import ctypes, threading
from memwatch.sampling.mappings import ARENAS, read_mappings
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
def allocate():
    for _ in range(300):
        ctypes.memset(libc.malloc(60_000), 1, 60_000)
thread = threading.Thread(target=allocate)
thread.start()
thread.join()
print(read_mappings()[ARENAS].kb if hasattr(libc, "gnu_get_libc_version") else "another malloc")
"""


def test_what_a_thread_allocates_is_in_an_arena_of_malloc():
    done = subprocess.run([sys.executable, "-c", IN_A_THREAD], capture_output=True, text=True, check=True, timeout=60)
    if done.stdout == "another malloc\n":
        pytest.skip("another malloc than glibc's")
    assert int(done.stdout) == pytest.approx(300 * 60_000 / 1024, rel=0.1)


def mapping(start: int, end: int, rights: str, name: str, rss: int) -> str:
    fields = f"Size: {(end - start) // 1024} kB\nKernelPageSize: 4 kB\nMMUPageSize: 4 kB\nRss: {rss} kB\nPss: 1 kB\n"
    return f"{start:x}-{end:x} {rights} 00000000 00:00 0    {name}\n{fields}VmFlags: rd wr mr mw me ac\n"


def test_the_memory_above_a_guard_page_is_a_stack():
    content = mapping(0x7F0000000000, 0x7F0000001000, "---p", "", 0)
    content += mapping(0x7F0000001000, 0x7F0000801000, "rw-p", "", 120)
    assert grouped(content.encode()) == {mappings.STACKS: Group(120, 1)}


def test_names_that_the_kernel_knows_are_kept():
    content = mapping(0x1000, 0x9000, "rw-p", "[heap]", 7) + mapping(0x10000, 0x20000, "rw-p", "[anon:jemalloc_pg]", 9)
    assert grouped(content.encode()) == {"named jemalloc_pg": Group(9, 1), mappings.BRK: Group(7, 1)}


def test_small_groups_are_taken_together():
    content = "".join(
        mapping(i << 20, (i << 20) + 4096, "r--p", f"/usr/lib/lib{i}.so", 100 - i % 7) for i in range(1, 90)
    )
    found = grouped(content.encode())
    assert len(found) == mappings.MOST_GROUPS + 1
    assert found[mappings.REST].mappings == 89 - mappings.MOST_GROUPS  # one of each
    assert sum(group.kb for group in found.values()) == sum(100 - i % 7 for i in range(1, 90))


def test_a_system_without_the_file_tells_nothing(tmp_path: Path):
    assert read_mappings(str(tmp_path)) is None


def test_a_large_file_is_read_in_parts_and_given_up_in_time(tmp_path: Path):
    content = "".join(mapping((i << 20) + 4096, (i << 20) + 8192, "rw-p", "", 4) for i in range(1, 5_000))
    (tmp_path / "smaps").write_text(content)
    assert read_mappings(str(tmp_path)) == {mappings.SMALL: Group(4 * 4_999, 4_999)}
    assert read_mappings(str(tmp_path), longest_s=0.0) is None


def test_half_a_file_is_read_as_far_as_it_goes():
    content = mapping(0x1000, 0x9000, "rw-p", "[heap]", 7).encode()
    assert grouped(content + content[:60]) == {mappings.BRK: Group(7, 1)}
