from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from memwatch.conf import get_settings
from memwatch.models import Baseline, Process, Service
from memwatch.queries import baseline_of, drift_of, figures_of, fleet
from memwatch.sampling.identity import OutsideProcess
from memwatch.services import ActionRefused, baselines
from memwatch.services.ingest.reader import ingest_reports
from memwatch.transport import Hub
from tests.reports import at, process, report, snapshot
from tests.services.agents import TestAgent

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(hub: Hub, send: Any) -> Callable[..., None]:
    def put(*reports: Any) -> None:
        send(*reports)
        ingest_reports(hub=hub)

    return put


def agent(url: str, pid: int, heap: float) -> TestAgent:
    return TestAgent(url, get_settings().command_key, process(pid), lambda: snapshot(500, heap_used_mb=heap))


def test_a_reset_takes_a_fresh_snapshot_and_tells_the_agent(store: Any, transport_url: str, admin_user: Any) -> None:
    store(report(process(1), {0: snapshot(heap_used_mb=50), 1: snapshot(60, heap_used_mb=75)}))
    row = Process.objects.get()
    assert drift_of(row).heap_drift_percent == 50

    with agent(transport_url, 1, 90) as asked:
        made = baselines.reset_process(row, by=admin_user, reason="deploy")
        while len(asked.obeyed) < 2:
            pass

    assert asked.obeyed == ["snapshot", "reset_baseline"]
    assert figures_of(made).heap_used_mb == 90
    assert (made.automatic, made.created_by, made.reason) == (False, admin_user, "deploy")
    assert drift_of(Process.objects.get()).heap_drift_percent == 0
    assert [b.active for b in Baseline.objects.order_by("pk")] == [False, True]
    assert "deploy" in LogEntry.objects.get(user=admin_user, change_message__startswith="Reset").change_message


def test_a_process_that_does_not_answer_is_reset_to_its_last_snapshot(store: Any) -> None:
    store(report(process(1), {0: snapshot(heap_used_mb=50), 1: snapshot(60, heap_used_mb=75)}))
    made = baselines.reset_process(Process.objects.get(), wait_s=0.2)
    assert figures_of(made).heap_used_mb == 75


def test_a_reset_by_hand_is_not_moved_by_the_warm_up(store: Any) -> None:
    store(report(process(1), {0: snapshot(heap_used_mb=50)}))
    made = baselines.reset_process(Process.objects.get(), wait_s=0)
    store(report(process(1), {9: snapshot(400, heap_used_mb=75)}))
    made.refresh_from_db()
    assert figures_of(made).heap_used_mb == 50


def test_the_same_key_gives_the_same_baseline(store: Any) -> None:
    store(report(process(1), {0: snapshot()}), report(process(2), {0: snapshot()}))
    one, two = Process.objects.order_by("pid")
    first = baselines.reset_process(one, wait_s=0, idempotency_key="k")
    assert baselines.reset_process(one, wait_s=0, idempotency_key="k") == first
    assert baselines.reset_process(one, wait_s=0, idempotency_key="other") != first
    assert baselines.reset_process(one, wait_s=0, idempotency_key="k") == first, "also when it is no longer active"
    for other in (
        lambda: baselines.reset_process(two, wait_s=0, idempotency_key="k"),
        lambda: baselines.reset_service(one.service, wait_s=0, idempotency_key="k"),
    ):
        with pytest.raises(ActionRefused, match="give each reset a key of its own"):
            other()
    with pytest.raises(ActionRefused, match="at most 100"):
        baselines.reset_process(one, wait_s=0, idempotency_key="k" * 101)


def test_what_has_no_figures_cannot_be_reset(store: Any) -> None:
    store(report(process(1), {}))
    row = Process.objects.get()
    with pytest.raises(ActionRefused, match="reported no snapshot yet"):
        baselines.reset_process(row, wait_s=0)
    with pytest.raises(ActionRefused, match="web has no running process with a snapshot"):
        baselines.reset_service(row.service, wait_s=0)
    store(report(process(1), {0: snapshot(1)}), report(process(1), sent_s=60, goodbye=True))
    with pytest.raises(ActionRefused, match="has ended"):
        baselines.reset_process(Process.objects.get(), wait_s=0)


def test_a_service_is_reset_to_the_median_of_its_processes(store: Any, transport_url: str) -> None:
    master = OutsideProcess(
        pid=9, started_at=at(-90), program="gunicorn master", command_line="", rss_mb=3, vms_mb=9, timestamp=at(0)
    )
    store(
        *(
            report(process(pid), {0: snapshot(heap_used_mb=10, counts={"dict": 100 * pid})}, outside=[master])
            for pid in (1, 2, 3)
        )
    )
    with ExitStack() as stack:
        for pid in (1, 2, 3):
            stack.enter_context(agent(transport_url, pid, heap=pid * 20))
        made = baselines.reset_service(Service.objects.get(), reason="release 2")
    figures = figures_of(made)
    assert figures.heap_used_mb == 40
    assert figures.rss_mb == 96, "the parent seen from outside is no measure"
    assert figures.top_objects == {"dict": 9_000, "tuple": 7_000}
    assert made.process is None
    drifts = {item.process.pid: item.drift_percent for item in fleet()}
    assert drifts == {1: 0, 2: 0, 3: 0, 9: None}
    assert Baseline.objects.filter(active=True, process=None).count() == 1
    again = baselines.reset_service(Service.objects.get(), wait_s=0)
    assert list(Baseline.objects.filter(active=True, process=None)) == [again]


def test_a_newer_process_is_compared_with_its_service(store: Any) -> None:
    store(report(process(1), {0: snapshot(heap_used_mb=40)}))
    shared = baselines.reset_service(Service.objects.get(), wait_s=0)
    Baseline.objects.filter(pk=shared.pk).update(created_at=at(100))
    store(report(process(2, age_s=-200), {0: snapshot(201, heap_used_mb=60)}))
    old, new = Process.objects.order_by("pid")
    Baseline.objects.filter(process=old).update(created_at=at(100))
    assert baseline_of(old).process == old
    assert baseline_of(new) == shared
    assert {item.process.pid: item.drift_percent for item in fleet()} == {1: 0, 2: 50}
    own = baselines.reset_process(new, wait_s=0)
    assert baseline_of(new) == own, "what somebody set for the very process counts"
