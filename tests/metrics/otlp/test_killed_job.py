"""A process that is killed amid a traced job: its end, and the record of it that a collector gets, have the trace."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from memwatch.metrics.otlp.config import config
from memwatch.metrics.otlp.events import send_events
from memwatch.metrics.otlp.outlet import logs_outlet
from memwatch.models import Process
from memwatch.services.ingest.writer import store
from tests.launch.running import Hub, environment, python, running
from tests.metrics.otlp.receiver import Receiver
from tests.waiting import until

pytestmark = pytest.mark.django_db

WATCHER = "import sys; sys.stdin.read()"
VICTIM = """
import time
from huey import MemoryHuey
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
tracer = TracerProvider().get_tracer("shop")
queue = MemoryHuey()
spans = []

@queue.pre_execute()
def open_span(task):
    spans.append(trace.use_span(tracer.start_span(task.name)))
    spans[-1].__enter__()

@queue.task()
def sync():
    context = trace.get_current_span().get_span_context()
    print(f"{context.trace_id:032x} {context.span_id:016x}", flush=True)
    time.sleep(300)

input()
sync()
queue.execute(queue.dequeue())
"""


def test_a_process_killed_amid_a_traced_job(receiver: Receiver, tmp_path: Path) -> None:
    for name in ("huey", "opentelemetry.sdk.trace"):
        pytest.importorskip(name)
    hub, now = Hub(tmp_path), timezone.now()
    environ = environment(hub, MEMWATCH_TRACES="links", MEMWATCH_SERVICE="jobs", OTEL_EXPORTER_OTLP_ENDPOINT="")
    folders = [tmp_path / "watcher", tmp_path / "victim"]
    for each in folders:
        each.mkdir()
    signals = config(os.environ).logs
    assert signals is not None
    with (
        running(python("-c", WATCHER), environ, folders[0]) as watcher,
        running(python("-c", VICTIM), environ, folders[1]) as victim,
    ):
        hub.wait_for(watcher.pid)
        hub.wait_for(victim.pid)
        assert victim.stdin is not None
        assert victim.stdout is not None
        victim.stdin.write("on\n")
        victim.stdin.flush()
        trace_id, span_id = victim.stdout.readline().split()
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        until(lambda: any(each.deaths for each in hub.read()), within_s=60, seen=hub.seen)
    with closing(logs_outlet(signals)) as outlet:
        send_events(outlet, now)  # an exporter that has been there before
        store(hub.reports, now=timezone.now(), interval_s=60)
        send_events(outlet, timezone.now() + timedelta(seconds=1))
    row = Process.objects.get(pid=victim.pid)
    assert row.end_reason in Process.DEATHS
    assert row.end_evidence["job"]["span"] == f"{trace_id}-{span_id}"
    (record,) = receiver.records
    assert (record.trace_id, record.span_id) == (trace_id, span_id)
    assert record.attributes["memwatch.job.name"].endswith("sync")
    assert record.resource["service.instance.id"] == row.key
