"""Django and Celery as OpenTelemetry's own instrumentation traces them: their spans and memwatch's figures agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from celery import Celery, signals
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from memwatch.agent.work import meter
from memwatch.host_hooks import celery_worker, jobs
from memwatch.records.work import WorkFigures
from tests.agent.work.conftest import Always

sdk = pytest.importorskip("opentelemetry.sdk.trace")
django_instrumentation = pytest.importorskip("opentelemetry.instrumentation.django")
celery_instrumentation = pytest.importorskip("opentelemetry.instrumentation.celery")

pytestmark = pytest.mark.django_db

MB = 1024 * 1024


def use_memory() -> None:
    block = bytearray(60 * MB)
    block[::4096] = b"x" * len(block[::4096])


def large(_request: HttpRequest) -> HttpResponse:
    use_memory()
    return HttpResponse("fine")


async def large_async(_request: HttpRequest) -> HttpResponse:
    use_memory()
    return HttpResponse("fine")


urlpatterns = [path("large/", large, name="large"), path("async/", large_async, name="large async")]
app = Celery("traced", broker="memory://", set_as_current=False)


@app.task(name="shop.large")
def large_task() -> None:
    use_memory()


@pytest.fixture
def ended() -> Iterator[list[Any]]:
    """The spans that have ended, of a process whose jobs are linked with traces."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    methods = ("get_response", "get_response_async", "_get_response", "_get_response_async", "resolve_request")
    originals = {name: BaseHandler.__dict__[name] for name in methods}
    before = meter.meter()
    jobs.install(traces="attributes")
    own = meter.meter()
    assert own is not None
    own._chance = Always()
    connected = (
        (signals.task_prerun, celery_worker.begin_task), (signals.task_postrun, celery_worker.end_task),
        (signals.task_success, celery_worker._tell_span),
    )  # fmt: skip
    instrumentor = celery_instrumentation.CeleryInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    for signal, receiver in connected:
        signal.connect(receiver, weak=False, dispatch_uid=f"test.{receiver.__name__}")
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        django_instrumentation.DjangoInstrumentor().instrument(tracer_provider=provider)
        yield exporter.get_finished_spans
        django_instrumentation.DjangoInstrumentor().uninstrument()
    instrumentor.uninstrument()
    for signal, receiver in connected:
        signal.disconnect(dispatch_uid=f"test.{receiver.__name__}")
    for name, original in originals.items():
        setattr(BaseHandler, name, original)
    meter.end_process()
    if before is not None:
        meter.begin_process(traces="off")


def check(span: Any, row: WorkFigures) -> None:
    assert row.peak_trace == f"{span.context.trace_id:032x}-{span.context.span_id:016x}"
    assert 50 * MB < span.attributes["memwatch.peak_bytes"] < 100 * MB
    assert "memwatch.kept_bytes" in span.attributes


def test_a_view_and_its_span(ended: Any) -> None:
    assert Client().get("/large/").status_code == 200
    (row,) = meter.take() or ()
    (span,) = ended()
    assert row.name == "large"
    check(span, row)


def test_an_async_view_and_its_span(ended: Any) -> None:
    assert async_to_sync(AsyncClient().get)("/async/").status_code == 200
    (row,) = meter.take() or ()
    (span,) = ended()
    check(span, row)


def test_a_task_and_its_span(ended: Any) -> None:
    large_task.apply()
    (row,) = meter.take() or ()
    (span,) = ended()
    assert row.name == "shop.large"
    check(span, row)
