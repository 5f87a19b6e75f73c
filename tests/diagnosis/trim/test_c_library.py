"""Where malloc_trim cannot be called, that is a sentence."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.options import TrimOptions
from memwatch.diagnosis.trim.c_library import CLibrary
from memwatch.diagnosis.trim.recording import TrimRecording
from memwatch.diagnosis.trim.result import Trim


@pytest.mark.parametrize(
    ("library", "said"),
    [
        (SimpleNamespace(), "only glibc has it, musl (Alpine) does not"),
        (SimpleNamespace(mallctl=1, malloc_trim=1), "from jemalloc"),
        (SimpleNamespace(mi_version=1, malloc_trim=1), "from mimalloc"),
        (SimpleNamespace(tc_version=1, malloc_trim=1), "from tcmalloc"),
    ],
)
def test_without_it_nothing_is_called_and_memory_is_measured_all_the_same(library: object, said: str) -> None:
    found = CLibrary(library)
    assert said in found.why_not
    result = run(found)
    assert (result.trimmed, result.reason, result.arenas) == (False, found.why_not, ())
    assert result.rss_before_mb > 1
    assert result.malloc_free_mb is None


def test_macos_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert CLibrary(SimpleNamespace()).why_not == "macOS has no malloc_trim"


def run(library: CLibrary) -> Trim:
    """To its end."""
    recording = TrimRecording(TrimOptions(), Host(), library=library).run(Meter())
    while True:
        try:
            next(recording)
        except StopIteration as end:
            found: Trim = end.value
            return found
