"""The thread that sends, on good days and on bad ones."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from memwatch.exposition import down, families
from memwatch.metrics.otlp import sender as module
from memwatch.metrics.otlp.config import config
from memwatch.metrics.otlp.sender import Sender
from memwatch.observation import FLEET, Observation, Observed
from tests.metrics.otlp.receiver import RECEIVERS, HttpReceiver, Receiver
from tests.test_exposition import WEB_1, figures
from tests.waiting import until

Senders = Callable[..., Sender]
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events have tests of their own."""
    monkeypatch.setattr(module, "close_old_connections", lambda: None)
    monkeypatch.setattr(module, "counting_since", lambda: None)
    monkeypatch.setattr(module, "send_events", lambda *_arguments: None)


@pytest.fixture
def senders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Senders]:
    """Makes them as the variables say, with a short time-out."""
    made: list[Sender] = []
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2.5")

    def make(**variables: str) -> Sender:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        made.append(Sender.of(config(os.environ, wanted=True), namespace="fogcompute"))
        return made[-1]

    yield make
    for each in made:
        if each._thread.is_alive():
            each.stop()
        else:
            for outlet in (each._metrics, each._logs):
                if outlet is not None:
                    outlet.close()


def offer(sender: Sender, *, rss_mb: float = 600.0) -> None:
    process = Observed(labels=WEB_1, started_at=timezone.now() - timedelta(hours=1), figures=figures(rss_mb=rss_mb))
    seen = Observation(source=FLEET, at=timezone.now(), processes=[process])
    sender.offer(families(seen), seen)


def state(sender: Sender) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels["signal"]): sample.value
        for family in sender.families()
        for sample in family.samples
    }  # fmt: skip


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """memwatch's lines."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("memwatch.")]


def usage(receiver: Receiver) -> list[float]:
    return [point.value / 2**20 for point in receiver.points if point.name == "process.memory.usage"]


def test_the_latest_reading_is_sent_and_counted(receiver: Receiver, senders: Senders) -> None:
    sender = senders()
    for number in range(100):
        offer(sender, rss_mb=100.0 + number)
    sender.send()
    sender.send()
    assert usage(receiver) == [199.0], "the others were never kept, and nothing is sent twice"
    assert state(sender)["memwatch_otlp_sent_total", "metrics"] == len(receiver.points)
    assert state(sender)["memwatch_otlp_dropped_total", "metrics"] == 0
    assert state(sender)["memwatch_otlp_failing", "metrics"] == 0


def test_the_thread_sends_what_comes_first_at_once_and_then_every_interval(
    receiver: Receiver, senders: Senders
) -> None:
    sender = senders(OTEL_METRIC_EXPORT_INTERVAL="1000")
    sender.start()
    offer(sender, rss_mb=1)
    until(lambda: usage(receiver) == [1.0])
    offer(sender, rss_mb=2)
    until(lambda: usage(receiver) == [1.0, 2.0])
    assert receiver.requests == 2


@pytest.mark.parametrize("refusal", [400, 429, 503])
def test_a_collector_that_refuses_is_named_once_and_what_it_missed_is_counted(
    refusal: int, receiver: Receiver, senders: Senders, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sender = senders()
    receiver.refuse = refusal
    for _attempt in range(2):
        offer(sender)
        sender.send()
    assert receiver.points == []
    (line,) = said(caplog)
    assert line.startswith(f"OTLP metrics do not reach {receiver.url}, and memwatch goes on trying: ")
    dropped = state(sender)["memwatch_otlp_dropped_total", "metrics"]
    assert dropped > 0
    assert state(sender)["memwatch_otlp_failing", "metrics"] == 1
    receiver.refuse = None
    offer(sender)
    sender.send()
    assert len(receiver.points) == dropped / 2
    assert state(sender)["memwatch_otlp_failing", "metrics"] == 0
    assert len(said(caplog)) == 2
    assert said(caplog)[1].startswith(f"OTLP metrics reach {receiver.url} again after ")


@pytest.mark.parametrize("protocol", RECEIVERS)
def test_a_collector_that_is_away_and_comes_back(
    protocol: str, senders: Senders, caplog: pytest.LogCaptureFixture
) -> None:
    with RECEIVERS[protocol]() as gone:
        url, port = gone.url, gone.port
    sender = senders(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    for number in range(2):
        offer(sender, rss_mb=number)
        sender.send()
    (line,) = said(caplog)
    assert "refused" in line.lower(), line
    assert sender._latest is None, "nothing is kept for later"
    with RECEIVERS[protocol](port) as back:

        def arrived() -> bool:
            offer(sender, rss_mb=9)
            sender.send()
            return usage(back) != []

        until(arrived, within_s=30)  # gRPC takes its time to connect again
        assert set(usage(back)) == {9.0}


def test_an_hour_without_a_collector_takes_no_memory_and_every_point_is_counted(senders: Senders) -> None:
    with HttpReceiver() as gone:
        url = gone.url
    sender = senders(
        OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_EXPORTER_OTLP_TIMEOUT="0.05",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
    )  # fmt: skip
    processes = [
        Observed(labels={"service": "web", "host": "a", "slot": f"web-{number}"}, started_at=START, figures=figures())
        for number in range(20)
    ]
    blocks, dropped = [], []
    for minute in range(60):
        seen = Observation(source=FLEET, at=START + timedelta(minutes=minute), processes=processes)
        for _reading in range(2):
            sender.offer(families(seen), seen)
        sender.send()
        dropped.append(state(sender)["memwatch_otlp_dropped_total", "metrics"])
        if minute in (9, 59):
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    of_one = dropped[-1] - dropped[-2]
    assert of_one > 20 * 10
    assert dropped[-1] == pytest.approx(60 * of_one, rel=0.05), "the first has no differences"
    assert blocks[1] - blocks[0] < 10 * of_one, "50 readings went by, and a point has several blocks"


def test_a_collector_that_never_answers_holds_up_nothing_but_the_sending(receiver: Receiver, senders: Senders) -> None:
    sender = senders(OTEL_METRIC_EXPORT_INTERVAL="1000")
    receiver.hang.set()
    sender.start()
    offer(sender)
    until(lambda: receiver.requests > 0)
    started = time.monotonic()
    offer(sender)
    assert state(sender)["memwatch_otlp_sent_total", "metrics"] == 0
    assert time.monotonic() - started < 0.5
    until(lambda: state(sender)["memwatch_otlp_failing", "metrics"] == 1, within_s=30)


@pytest.mark.parametrize("protocol", RECEIVERS)
def test_tls_to_a_collector_without_it_gives_one_line(
    protocol: str, senders: Senders, caplog: pytest.LogCaptureFixture
) -> None:
    with RECEIVERS[protocol]() as plain:
        url = plain.url.replace("http://", "https://")
        sender = senders(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
        for _attempt in range(2):
            offer(sender)
            sender.send()
    (line,) = said(caplog)
    assert url in line
    assert "SSL" in line, line


def test_after_a_failure_the_rest_of_a_reading_is_not_tried(receiver: Receiver, senders: Senders) -> None:
    sender = senders(OTEL_EXPORTER_OTLP_TIMEOUT="60")
    receiver.refuse = 400
    seen = Observation(
        source=FLEET,
        at=timezone.now(),
        processes=[
            Observed(labels={"service": "web", "host": "a", "slot": f"web-{number}"}, figures=figures())
            for number in range(600)
        ],
    )
    sender.offer(families(seen), seen)
    sender.send()
    assert receiver.requests == 1
    assert state(sender)["memwatch_otlp_dropped_total", "metrics"] > 8_000, "all of it, in several requests"


def test_the_variables_of_the_exporter_do_not_name_the_watched_processes(receiver: Receiver, senders: Senders) -> None:
    sender = senders(OTEL_SERVICE_NAME="exporter", OTEL_RESOURCE_ATTRIBUTES="service.namespace=monitoring")
    offer(sender)
    sender.send()
    names = {point.resource["service.name"] for point in receiver.points}
    assert names == {"web", "memwatch"}
    assert not any("service.namespace" in point.resource for point in receiver.points)


def test_figures_that_cannot_be_read_are_said_to_be_down(receiver: Receiver, senders: Senders) -> None:
    sender = senders()
    sender.offer(down(), None)
    sender.send()
    assert [(point.name, point.value) for point in receiver.points] == [("memwatch.up", 0)]


FORKING = """
import django, os, sys
django.setup()
from memwatch.exposition import down
from memwatch.metrics.otlp.config import config
from memwatch.metrics.otlp.sender import Sender
sender = Sender.of(config(os.environ), namespace="fogcompute")
sender.start()
pid = os.fork()
if pid == 0:
    sender.offer(down(), None)
    os._exit(sender._thread.is_alive())
print(os.waitpid(pid, 0)[1])
"""


def test_a_fork_of_the_exporter_sends_nothing() -> None:
    with HttpReceiver() as collector:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FORKING], cwd=Path(__file__).parents[3], text=True,
            env={
                **os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "MEMWATCH_AGENT": "off",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            },
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        assert done.stdout == "0\n", done.stderr
        assert collector.requests == 0
