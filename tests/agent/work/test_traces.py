"""Jobs name the span that they ran in, only where that is wanted, and whatever OpenTelemetry does."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from memwatch.agent.work import meter, spans
from memwatch.agent.work.credit import Credit
from memwatch.agent.work.job import Job
from memwatch.agent.work.traces import KEPT, PEAK
from memwatch.records.work import TASK, VIEW, WorkFigures
from memwatch.transport.flights import layout
from tests.agent.work.conftest import Always

trace = pytest.importorskip("opentelemetry.trace")

MB = 1024 * 1024
TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
TEXT = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


class Span(trace.NonRecordingSpan):
    """One that records."""

    def __init__(self, trace_id: int = TRACE, span_id: int = SPAN) -> None:
        super().__init__(trace.SpanContext(trace_id, span_id, is_remote=False))
        self.attributes: dict[str, Any] = {}
        self.ended = False

    def is_recording(self) -> bool:
        return not self.ended

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Begin a meter that measures every job."""
    monkeypatch.setattr(Credit, "pays", lambda *_args: True)
    before = meter.meter()

    def link(word: str) -> None:
        meter.begin_process(traces=word)
        own = meter.meter()
        assert own is not None
        own._chance = Always()

    yield link
    meter.end_process()
    if before is not None:
        meter.begin_process(traces="off")


def begin(kind: str = TASK, name: str = "shop.sync") -> Job:
    job = meter.begin(kind, name, mark=name)
    assert job is not None
    return job


def taken(name: str = "shop.sync") -> WorkFigures:
    return {row.name: row for row in meter.take() or ()}[name]


def use_memory(megabytes: int) -> None:
    block = bytearray(megabytes * MB)
    block[::4096] = b"x" * len(block[::4096])


def test_the_highest_peak_names_its_span(linked: Callable[[str], None]) -> None:
    linked("links")
    for megabytes, span_id in ((30, 1), (90, SPAN), (20, 3)):
        with trace.use_span(Span(span_id=span_id)):
            job = begin()
            use_memory(megabytes)
            job.end()
    row = taken()
    assert row.peak_kib_max > 80 * 1024
    assert row.peak_trace == TEXT


def test_the_flight_record_has_the_span_of_the_job_that_runs_and_no_other() -> None:
    meter.begin_process(recorded=True, traces="links")
    slots = meter.slots()
    assert slots is not None

    def recorded() -> list[str]:
        return [span for *_job, span in layout._jobs(bytes(slots.store), layout.RUNS)]

    for _ in range(layout.MAX_JOBS):
        with trace.use_span(Span()):
            job = begin()
            assert recorded() == [TEXT]
            slots.move_to(bytearray(slots.size))
            assert recorded() == [TEXT], "it moves to the file"
            job.end()
    job = begin()
    assert recorded() == [""], "the place had another job before"
    with trace.use_span(Span(span_id=7)):
        meter.name(TASK, "shop.sync")
    assert recorded() == [f"{TRACE:032x}-{7:016x}"]
    job.end()
    meter.end_process()


def test_a_higher_peak_outside_of_spans_takes_the_name_away(linked: Callable[[str], None]) -> None:
    linked("links")
    with trace.use_span(Span()):
        job = begin()
        use_memory(20)
        job.end()
    job = begin()
    use_memory(90)
    job.end()
    assert taken().peak_trace == ""


def test_the_span_of_the_view_counts_not_that_of_the_server_around_it(linked: Callable[[str], None]) -> None:
    linked("links")
    with trace.use_span(Span(span_id=7)):
        job = begin(VIEW, "")
        with trace.use_span(Span()):
            meter.name(VIEW, "shop:index")
            use_memory(40)
        job.end()
    assert taken("shop:index").peak_trace == TEXT


def test_the_span_gets_the_figures_of_its_job(linked: Callable[[str], None]) -> None:
    linked("attributes")
    span = Span()
    with trace.use_span(span):
        job = begin()
        use_memory(60)
        job.end()
    assert 55 * MB < span.attributes[PEAK] < 90 * MB
    assert span.attributes[KEPT] < 30 * MB


def test_a_span_that_ends_before_its_job_gets_them_when_it_is_told(linked: Callable[[str], None]) -> None:
    linked("attributes")
    span = Span()
    job = begin(VIEW, "")
    with trace.use_span(span):
        meter.name(VIEW, "shop:index")
        use_memory(60)
        spans.tell(VIEW)
    job.end()
    assert span.attributes[PEAK] > 55 * MB


def test_no_span_gets_figures_of_another_ones_job_or_after_its_end(linked: Callable[[str], None]) -> None:
    linked("attributes")
    other, ended = Span(trace_id=5), Span()
    ended.ended = True
    for inner in (other, ended):
        with trace.use_span(Span()):
            job = begin()
        with trace.use_span(inner):
            job.end()
        assert inner.attributes == {}


def test_links_alone_write_nothing_into_spans(linked: Callable[[str], None]) -> None:
    linked("links")
    span = Span()
    with trace.use_span(span):
        begin().end()
    assert span.attributes == {}


def test_the_spans_of_running_jobs_are_known_until_they_end(linked: Callable[[str], None]) -> None:
    linked("links")
    with trace.use_span(Span()):
        job = begin()
    assert spans.running_now() == [TEXT]
    job.end()
    assert spans.running_now() == []


def test_a_forked_child_and_a_lost_job_leave_nothing_behind(linked: Callable[[str], None]) -> None:
    linked("links")
    with trace.use_span(Span()):
        begin()
    meter.begin_process()
    own = meter.meter()
    assert own is not None
    assert own.traces is not None
    assert spans.running_now() == []


@pytest.mark.parametrize("word", ["off", "links"])
def test_opentelemetry_is_asked_only_where_that_is_wanted(
    linked: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    asked: list[str] = []
    fake = types.ModuleType("opentelemetry.trace")
    fake.get_current_span = lambda: asked.append(word)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", fake)
    linked(word)
    begin().end()
    meter.name(TASK, "shop.other")
    assert bool(asked) == (word == "links")


class Hostile:
    """A span of a broken set-up."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def get_span_context(self) -> Any:
        if self._context is None:
            raise RuntimeError("broken on purpose")
        return self._context


@pytest.mark.parametrize(
    "span",
    [
        None,
        Hostile(None),
        Hostile(object()),
        Hostile(types.SimpleNamespace(trace_id=True, span_id=1)),
        Hostile(types.SimpleNamespace(trace_id=2**200, span_id=1)),
        Hostile(types.SimpleNamespace(trace_id="4bf9", span_id=None)),
        Hostile(types.SimpleNamespace(trace_id=0, span_id=0)),
    ],
)
def test_a_broken_set_up_does_no_harm(
    linked: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, span: Any
) -> None:
    fake = types.ModuleType("opentelemetry.trace")
    fake.get_current_span = lambda: span  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", fake)
    linked("attributes")
    begin().end()
    row = taken()
    assert (row.calls, row.peak_trace) == (1, "")
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    begin().end()
    assert taken().calls == 1
