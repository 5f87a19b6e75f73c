"""How long a copy pauses the program: foretold from its pages, and kept short."""

from __future__ import annotations

import gc
import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest

from memwatch.diagnosis import options
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import fork_pause, parent
from memwatch.diagnosis.copy.parent import in_child
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import walk
from memwatch.diagnosis.heap_summary import HeapSummaryRecording
from memwatch.diagnosis.referrers.recording import ReferrersRecording
from tests.diagnosis.conftest import run_to_end

pytestmark = pytest.mark.skipif(parent.impossible() is not None, reason="no copy of a process can be had here")
MB = 2**20
PAGE = mmap.PAGESIZE


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process of which no copy was made yet."""
    monkeypatch.setattr(fork_pause, "_measured_us", 0.0)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which a page takes as long as a thousand."""
    monkeypatch.setattr(fork_pause, "US_PER_PAGE", 1e3 * fork_pause.US_PER_PAGE)


def written(megabytes: int, flags: int) -> Iterator[mmap.mmap]:
    """Memory of the process with something in each page."""
    memory = mmap.mmap(-1, megabytes * MB, flags)
    for start in range(0, len(memory), PAGE):
        memory[start] = 1
    yield memory
    memory.close()


@pytest.fixture
def own() -> Iterator[mmap.mmap]:
    """Some 400 MB of its own, in small pages."""
    yield from written(400, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


@pytest.mark.usefixtures("own")
def test_the_pause_is_foretold() -> None:
    pages = fork_pause.pages_copied() - fork_pause.huge_pages()
    assert pages * PAGE > 380 * MB
    expected_ms = fork_pause.expected_ms(pages)
    meter = Meter()
    assert run_to_end(in_child(lambda: b"done", Host(), meter, needs_mb=1)) == b"done"
    assert expected_ms / 20 < meter.longest_hold_ms < 2 * expected_ms


def test_only_pages_that_are_copied_count() -> None:
    before = fork_pause.pages_copied()
    shared = written(100, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    next(shared)
    assert fork_pause.pages_copied() - before < 10 * MB / PAGE
    own = written(100, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    next(own)
    assert fork_pause.pages_copied() - before > 95 * MB / PAGE


@pytest.mark.skipif(
    "[never]" in Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text(), reason="no huge pages here"
)
def test_huge_pages_cost_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fork_pause.pages_copied() - fork_pause.huge_pages()
    memory = mmap.mmap(-1, 200 * MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    for start in range(0, len(memory), PAGE):
        memory[start] = 1
    assert fork_pause.huge_pages() > 150 * MB / PAGE
    assert fork_pause.pages_copied() - fork_pause.huge_pages() - before < 60 * MB / PAGE
    monkeypatch.setattr(fork_pause, "LONGEST_MS", fork_pause.expected_ms(before + 100 * MB // PAGE))
    assert fork_pause.too_long() is None
    memory.close()


def test_a_machine_that_was_slower_than_others_is_remembered() -> None:
    many = 100_000
    usual_ms = fork_pause.expected_ms(many)
    fork_pause.measured(10 * usual_ms, many)
    assert fork_pause.expected_ms(many) == pytest.approx(10 * usual_ms)
    fork_pause.measured(usual_ms / 10, many)
    assert fork_pause.expected_ms(many) == usual_ms, "a short one says little: its pages were shared already"


@pytest.mark.usefixtures("slow", "own")
def test_where_it_would_be_long_the_process_itself_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "LONGEST_HOLD_MS", 1_000)  # a busy machine is not what this is about

    class Quote:
        pass

    kept = [Quote() for _ in range(30)]
    meter = Meter()
    asked = options.referrers({"type": f"{__name__}.{Quote.__qualname__}"})
    found = run_to_end(ReferrersRecording(asked, Host(apart_s=0)).run(meter))
    assert found.instances == len(kept)
    assert "within the process" in found.notes[-1]
    assert "ms, 60 are allowed" in found.notes[-1]
    assert "forks" not in meter.figures()


@pytest.mark.usefixtures("slow", "own")
def test_a_heap_too_large_for_both_is_refused_and_held_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_OBJECTS", 1_000)
    kept = [[] for _ in range(1_000_000)]
    asked = options.referrers({"type": "list"})
    untracked = options.referrers({"type": "untracked"})
    gc.collect()
    for work in (
        ReferrersRecording(asked, Host()),
        ReferrersRecording(untracked, Host()),
        HeapSummaryRecording(Host()),
    ):
        meter = Meter()
        with pytest.raises(Refused, match=r"objects cannot be searched within .* record a process with fewer"):
            run_to_end(work.run(meter))
        assert meter.longest_hold_ms == 0
    assert len(kept) == 1_000_000
