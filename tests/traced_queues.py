"""Queues whose jobs are traced by what their libraries offer for that: the spans and memwatch's figures agree."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.test import override_settings

from memwatch.agent.work import meter, spans
from memwatch.host_hooks import dramatiq as dramatiq_hooks
from memwatch.host_hooks import huey as huey_hooks
from memwatch.host_hooks import jobs as job_hooks
from memwatch.host_hooks import rq as rq_hooks
from memwatch.records.work import WorkFigures
from tests.agent.work.conftest import Always
from tests.traced_site import check, use_memory

sdk = pytest.importorskip("opentelemetry.sdk.trace")
trace = pytest.importorskip("opentelemetry.trace")
context = pytest.importorskip("opentelemetry.context")

seen: list[str] = []
"""The spans of the jobs that run, as a flight record or a recording would name them, within a job."""


def work() -> None:
    seen.extend(spans.running_now())
    use_memory()


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """The spans that have ended, of a process whose jobs are linked with traces."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(Tracing, "tracer", provider.get_tracer("of the test"))
    job_hooks.install(traces="attributes")
    own = meter.meter()
    assert own is not None
    own._chance = Always()
    seen.clear()
    yield exporter.get_finished_spans
    meter.end_process()


class Tracing:
    """Opens a span in one call and closes it in another, as instrumentation by hooks and signals does."""

    tracer: Any = None

    def __init__(self) -> None:
        self._open: list[tuple[Any, object]] = []

    def begin(self, *_arguments: Any, **_named: Any) -> None:
        span = self.tracer.start_span("job")
        self._open.append((span, context.attach(trace.set_span_in_context(span))))

    def end(self, *_arguments: Any, **_named: Any) -> None:
        span, token = self._open.pop()
        context.detach(token)
        span.end()


def agree(ended: Callable[[], Any]) -> WorkFigures:
    (row,) = [each for each in meter.take() or () if each.kind == "task"]
    (span,) = ended()
    assert seen == [f"{span.context.trace_id:032x}-{span.context.span_id:016x}"]
    check(span, row)
    return row


def test_dramatiq(ended: Callable[[], Any]) -> None:
    dramatiq = pytest.importorskip("dramatiq")
    from dramatiq.brokers.stub import StubBroker

    dramatiq_hooks.install()
    tracing = Tracing()

    class Traced(dramatiq.Middleware):  # type: ignore[misc, name-defined]
        before_process_message = staticmethod(tracing.begin)
        after_process_message = staticmethod(tracing.end)

    broker = StubBroker(middleware=[Traced()])
    broker.emit_after("process_boot")
    actor = dramatiq.actor(work, broker=broker, actor_name="shop.sync")
    actor.send()
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    try:
        broker.join(actor.queue_name)
        worker.join()
    finally:
        worker.stop()
    assert agree(ended).name == "shop.sync"


def test_huey(ended: Callable[[], Any]) -> None:
    huey = pytest.importorskip("huey")
    huey_hooks.install()
    tracing, queue = Tracing(), huey.MemoryHuey(immediate=False)
    queue.pre_execute(name="begin")(tracing.begin)
    queue.post_execute(name="end")(tracing.end)
    queue.task()(work)()
    queue.execute(queue.dequeue())
    assert agree(ended).name == "tests.traced_queues.work"


@pytest.mark.parametrize("package", ["django.tasks", "django_tasks"])
def test_tasks_of_django(ended: Callable[[], Any], package: str) -> None:
    tasks = pytest.importorskip(package)
    signals = import_module(f"{package}.signals")
    job_hooks.install(traces="attributes")
    own = meter.meter()
    assert own is not None
    own._chance = Always()
    tracing = Tracing()
    signals.task_started.connect(tracing.begin, weak=False)
    signals.task_finished.connect(tracing.end, weak=False)
    try:
        with override_settings(TASKS={"default": {"BACKEND": f"{package}.backends.immediate.ImmediateBackend"}}):
            tasks.task()(work).enqueue()
    finally:
        signals.task_started.disconnect(tracing.begin)
        signals.task_finished.disconnect(tracing.end)
    assert agree(ended).name == "tests.traced_queues.work"


@pytest.fixture
def rq_queue(ended: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """RQ's, with what traces its jobs around the job's own method."""
    rq = pytest.importorskip("rq")
    redis = pytest.importorskip("redis")
    url = os.environ.get("TRACED_REDIS")
    if url is None:
        pytest.skip("no Redis was named")
    from rq.job import Job

    rq_hooks.install()
    original = Job.perform

    def perform(self: Any) -> Any:
        with Tracing.tracer.start_as_current_span("job"):
            return original(self)

    monkeypatch.setattr(Job, "perform", perform)
    queue = rq.Queue("traced", connection=redis.Redis.from_url(url))
    queue.enqueue("tests.traced_queues.work")
    return queue


def test_rq_without_forks(ended: Callable[[], Any], rq_queue: Any) -> None:
    from rq.worker import SimpleWorker

    SimpleWorker([rq_queue], connection=rq_queue.connection).work(burst=True)
    assert agree(ended).name == "tests.traced_queues.work"


def told() -> None:
    """In the process that RQ forks: its span is known there alone."""
    work()
    span = trace.get_current_span().get_span_context()
    from rq import get_current_job

    get_current_job().connection.set("traced", f"{span.trace_id:032x}-{span.span_id:016x} {' '.join(seen)}")


def test_rq_with_forks(rq_queue: Any) -> None:
    from rq.worker import Worker

    rq_queue.empty()
    rq_queue.enqueue("tests.traced_queues.told")
    Worker([rq_queue], connection=rq_queue.connection).work(burst=True)
    (row,) = [each for each in meter.take() or () if each.kind == "task"]
    span, known = rq_queue.connection.get("traced").decode().split()
    assert (row.name, row.peak_trace) == ("tests.traced_queues.told", span)
    assert known == span
