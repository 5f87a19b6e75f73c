"""A recycle from the choice to what it gained, and everything that may come between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memwatch.detection.recycling import IN_A_ROW
from memwatch.models import Alert, Command, Leak, Process, Recording, Recycle, RecyclingPolicy, Release
from memwatch.queries.deployment import counters
from memwatch.services import alerts
from memwatch.services.recycling import checking, following, policies
from tests.services.recycling.conftest import MINUTE, Deployment, KeepingHub, answer
from tests.services.stored import store_snapshots

pytestmark = pytest.mark.django_db


def only() -> Recycle:
    return Recycle.objects.get()


def ordered(web: Deployment) -> Recycle:
    """The recycle of the first worker that is due, with its order."""
    web.check()
    web.recorded()
    web.check()
    return Recycle.objects.get(state="ordered")


def test_the_largest_worker_is_recorded_then_ordered_and_its_end_and_gain_are_kept(web: Deployment) -> None:
    web.worker(310)
    large = web.worker(400)
    web.worker(100)
    web.policy()
    assert web.check() == 1
    row = only()
    assert (row.process, row.state, row.because, row.private_before_kib) == (large, "evidence", "limit", 400 * 1024)
    assert row.recording is not None
    assert (row.recording.kind, row.recording.process) == ("heap_summary", large)
    assert web.hub.orders == []
    assert web.check() == 0  # one at a time, and it waits for the evidence
    web.recorded()
    web.check()
    (order,) = web.hub.orders
    assert (order.target, order.arguments) == (large.key, {"drain_s": 600.0, "whole": False})
    web.end(large)
    web.check()
    assert (only().state, only().result) == ("recycled", "It finished its job and ended.")
    successor = web.succeed(large, 60)
    for _ in range(4):
        web.check()
    assert (only().successor, only().gained_kib) == (successor, 340 * 1024)
    labels = {"service": "web", "reason": "limit", "result": "recycled"}
    assert counters.totals(counters.RECYCLES) == [(labels, 1)]
    assert web.check(minutes=2) == 0  # within the interval
    assert web.check(minutes=20) == 1


def test_a_rehearsal_writes_what_it_would_have_done_and_does_nothing(web: Deployment) -> None:
    web.worker(400)
    web.worker(350)
    policy = web.policy(mode="rehearse", rehearsed_at=None)
    assert web.check() == 1
    assert (only().state, only().recording) == ("rehearsed", None)
    assert web.check() == 0  # with the same interval as when it acts
    assert web.check(minutes=20) == 1
    policy.refresh_from_db()
    assert policy.rehearsed_at is not None
    assert web.hub.sent == []
    assert counters.totals(counters.RECYCLES) == []


def test_a_policy_that_is_off_does_nothing(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy(mode="off")
    assert web.check() == 0
    assert not Recycle.objects.exists()


def test_the_switch_for_all_services_beats_every_policy(web: Deployment, settings: Any) -> None:
    web.worker(400)
    web.worker()
    web.policy()
    web.check()
    settings.MEMWATCH = {**settings.MEMWATCH, "RECYCLING": False}
    web.recorded()
    web.check()
    assert (only().state, only().result) == ("called_off", "Recycling was switched off.")
    assert web.check(minutes=60) == 0
    assert web.hub.orders == []


def test_a_service_with_one_worker_is_left_alone(web: Deployment) -> None:
    web.worker(400)
    policy = web.policy()
    assert web.check() == 0
    policy.refresh_from_db()
    assert "last healthy worker" in policy.said


def test_the_last_healthy_worker_is_spared_even_if_the_others_fall_silent_while_evidence_is_recorded(
    web: Deployment,
) -> None:
    web.worker(400)
    other = web.worker()
    web.policy()
    web.check()
    web.recorded()
    other.lease_expires_at = web.now
    other.save()
    web.check()
    assert (only().state, "last healthy" in only().result) == ("called_off", True)
    assert web.hub.orders == []


def test_evidence_that_fails_or_hangs_holds_nothing_up(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy()
    web.check()
    assert Recording.objects.pending().exists()
    web.check(minutes=3.5)
    assert only().state == "ordered"


def test_evidence_that_is_refused_is_noted(web: Deployment, settings: Any) -> None:
    settings.MEMWATCH = {**settings.MEMWATCH, "RECORDINGS_PER_SERVICE_HOUR": 0}
    web.worker(400)
    web.worker()
    web.policy()
    web.check()
    assert only().result.startswith("No evidence was recorded: web was recorded 0 times")
    web.check()
    assert len(web.hub.orders) == 1


def test_the_cause_of_an_open_leak_is_recorded(web: Deployment) -> None:
    worker = web.worker(200)
    web.worker()
    web.policy(when="leak", limit_mb=None)
    leak = Leak.objects.create(
        service=worker.service, process=worker, object_type="shop.Kept", severity="high", initial_count=1,
        current_count=9, growth_count=8, growth_percent=800.0,
    )  # fmt: skip
    assert web.check() == 1
    row = only()
    assert (row.because, row.leak) == ("leak", leak)
    assert row.recording is not None
    assert (row.recording.kind, row.recording.process, row.recording.options) == (
        "referrers", worker, {"type": "shop.Kept"},
    )  # fmt: skip


def test_a_worker_that_ignores_the_order_is_left_alone(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy(drain_minutes=5)
    ordered(web)
    answer(web.hub.orders[0], "done", "gunicorn worker, SIGTERM")
    web.check(minutes=6)
    assert only().state == "ordered"
    web.check(minutes=2)
    assert (only().state, "cannot be called back" in only().result) == ("left", True)


@pytest.mark.parametrize("later", [0.1, 1_000.0])
def test_an_order_keeps_the_drain_time_out_it_was_given_with(later: float, web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy(drain_minutes=5)
    ordered(web)
    answer(web.hub.orders[0], "done", "Celery child, after its task")
    RecyclingPolicy.objects.update(drain_minutes=later)
    web.check(minutes=6)
    assert only().state == "ordered"
    web.check(minutes=2)
    assert only().state == "left"


def test_an_order_of_a_release_that_did_not_keep_its_drain_time_out_is_closed_by_the_policys(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy(drain_minutes=5)
    ordered(web)
    Recycle.objects.update(drain_minutes=None)
    web.check(minutes=6)
    assert only().state == "ordered"
    web.check(minutes=2)
    assert only().state == "left"


def test_a_worker_that_still_ends_after_the_drain_time_out_does_not_count_as_healthy(web: Deployment) -> None:
    web.worker(400)
    other = web.worker(350)
    policy = web.policy(drain_minutes=5)
    ordered(web)
    answer(web.hub.orders[0], "done", "gunicorn worker, SIGTERM")
    web.check(minutes=8)
    assert only().state == "left"
    assert web.check(minutes=30) == 0  # the other one is the last that takes requests
    policy.refresh_from_db()
    assert f"{other} is over, but it is the last healthy worker" in policy.said
    Command.objects.update(detail="Celery child, after its task")  # such a one is called back
    assert web.check() == 1


def test_a_worker_that_only_fell_silent_is_not_taken_for_recycled_before_its_time_is_over(web: Deployment) -> None:
    worker = web.worker(400)
    web.worker()
    web.policy(drain_minutes=5)
    ordered(web)
    answer(web.hub.orders[0], "done", "gunicorn worker, SIGTERM")
    web.end(worker, Process.End.STALE)
    web.check()
    assert only().state == "ordered"
    web.check(minutes=8)
    assert (only().state, only().result) == ("recycled", "It ended: lease ran out.")


def test_a_policy_that_stopped_itself_while_evidence_was_recorded_orders_nothing(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy()
    web.check()
    RecyclingPolicy.objects.update(stopped_at=web.now, stopped_reason="no_gain", stopped_why="It gained nothing.")
    web.recorded()
    web.check()
    assert (only().state, only().result, web.hub.orders) == ("called_off", "The policy has stopped itself.", [])


def test_the_order_waits_for_the_recording_that_follows(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy()
    web.check()
    Recording.objects.update(state="done", and_then="allocations")
    web.check(minutes=0.5)
    assert only().state == "evidence"
    web.check(minutes=3)
    assert only().state == "ordered"


def test_native_growth_is_recorded_by_mappings_then_with_a_flame_graph(web: Deployment) -> None:
    worker = web.worker(200)
    web.worker()
    web.policy(when="leak", limit_mb=None)
    Leak.objects.create(
        service=worker.service, process=worker, object_type="native", kind="native", severity="high", initial_count=1,
        current_count=9, growth_count=8, growth_percent=800.0,
    )  # fmt: skip
    web.check()
    row = only()
    assert row.recording is not None
    assert (row.recording.kind, row.recording.and_then) == ("heap_summary", "flamegraph")


def test_a_service_whose_workers_are_not_replaced_is_left_alone_after_two(web: Deployment) -> None:
    for _ in range(5):
        web.worker(400)
    policy = web.policy(minutes=10)
    for _ in range(IN_A_ROW):
        row = ordered(web)
        assert row.process is not None
        web.end(row.process)
        web.check()
        web.check(minutes=13)
    policy.refresh_from_db()
    assert policy.stopped_reason == "no_successor"
    assert web.check(minutes=60) == 0
    assert len(web.hub.orders) == IN_A_ROW


def test_a_worker_whose_agent_refuses_is_left_alone_and_after_three_the_policy_stops(web: Deployment) -> None:
    for _ in range(3):
        web.worker(400)
    policy = web.policy(minutes=10)
    for number in range(3):
        ordered(web)
        answer(web.hub.orders[number], "refused", "this release of billiard is not known")
        web.check()
        web.check(minutes=13)
    assert set(Recycle.objects.values_list("state", "result")[:3]) == {
        ("refused", "this release of billiard is not known")
    }
    policy.refresh_from_db()
    assert policy.stopped_reason == "not_possible"
    assert web.check(minutes=60) == 0
    alerts.check(web.now)
    alert = Alert.objects.get(type="recycling_useless")
    assert alert.message.startswith("web: cannot recycle its workers, and has stopped.")


def test_a_worker_that_ends_by_itself_is_not_ordered(web: Deployment) -> None:
    worker = web.worker(400)
    web.worker()
    web.policy()
    web.check()
    web.end(worker, Process.End.OOM_PROCESS)
    web.check()
    assert (only().state, only().result) == ("called_off", "The worker ended before it was ordered to.")


def test_recycling_that_gains_nothing_stops_itself_and_raises_an_alert_until_somebody_starts_it_again(
    web: Deployment, admin_user: Any
) -> None:
    for _ in range(3):
        web.worker(400)
    policy = web.policy(minutes=10)
    for _ in range(IN_A_ROW):
        row = ordered(web)
        assert row.process is not None
        web.end(row.process)
        web.check()
        web.succeed(row.process, 395)
        for _ in range(4):
            web.check()
        web.check(minutes=9)
    policy.refresh_from_db()
    assert policy.stopped_reason == "no_gain"
    orders = len(web.hub.orders)
    web.check(minutes=60)
    assert len(web.hub.orders) == orders
    alerts.check(web.now)
    alert = Alert.objects.get(type="recycling_useless")
    assert (alert.severity, alert.is_raised) == ("high", True)
    assert "does not help" in alert.message
    policies.save(policy, by=admin_user, now=web.now)
    alerts.check(web.now)
    alert.refresh_from_db()
    assert not alert.is_raised


def test_a_successor_that_is_due_before_the_interval_is_over_has_grown_back(web: Deployment) -> None:
    for _ in range(3):
        web.worker(400)
    web.policy(minutes=15)
    row = ordered(web)
    assert row.process is not None
    web.end(row.process)
    web.check()
    successor = web.succeed(row.process, 60)
    for _ in range(4):
        web.check()
    web.grow(successor, 420)
    web.check()
    row.refresh_from_db()
    assert (row.successor, row.grew_back) == (successor, True)


def test_the_next_one_waits_for_the_successor(web: Deployment) -> None:
    for _ in range(3):
        web.worker(400)
    policy = web.policy(minutes=0.5)
    row = ordered(web)
    assert row.process is not None
    web.end(row.process)
    web.check()
    assert web.check() == 0
    policy.refresh_from_db()
    assert "waits" in policy.said
    web.succeed(row.process)
    assert web.check() == 1


def test_a_deploy_in_the_middle_calls_off_and_starts_again(web: Deployment) -> None:
    service = web.worker(400).service
    web.worker()
    for worker in web.workers:
        worker.release = Release.objects.get_or_create(service=service, name="1")[0]
        worker.save()
    Release.objects.update(first_seen_at=web.now - timedelta(days=9))
    policy = web.policy(checks=2)
    web.check()
    web.check()
    assert only().state == "evidence"
    new = Release.objects.create(service=policy.service, name="2", first_seen_at=web.now)
    fresh = web.worker(100, age=timedelta(0))
    fresh.release = new
    fresh.save()
    web.recorded()
    RecyclingPolicy.objects.update(stopped_at=web.now, stopped_why="It gained nothing.")
    web.check()
    assert (only().state, only().result) == ("called_off", "The release 2 is being deployed.")
    assert web.hub.orders == []
    policy.refresh_from_db()
    assert (policy.release, policy.stopped_at, policy.over) == (new, None, {})
    assert "new release" in policy.said


def with_release(web: Deployment, name: str, first_seen: timedelta, *numbers: int) -> Release:
    service = web.workers[0].service
    release, _made = Release.objects.get_or_create(
        service=service, name=name, defaults={"first_seen_at": web.now - first_seen}
    )
    for number in numbers:
        web.workers[number].release = release
        web.workers[number].save()
    return release


def test_a_new_worker_of_an_older_release_beside_the_new_one_does_not_start_a_policy_again(web: Deployment) -> None:
    for _ in range(4):
        web.worker(400)
    old, new = (
        with_release(web, "1", timedelta(days=9), 0, 1),
        with_release(web, "2", timedelta(days=1), 2, 3),
    )
    policy = web.policy()
    web.check()
    RecyclingPolicy.objects.update(stopped_at=web.now, stopped_reason="no_gain", stopped_why="It gained nothing.")
    web.worker(100, age=timedelta(0))
    with_release(web, "1", timedelta(0), 4)
    web.check()
    policy.refresh_from_db()
    assert (policy.release, policy.stopped_why) == (new, "It gained nothing.")
    for worker in (web.workers[2], web.workers[3]):
        web.end(worker, Process.End.STOPPED)  # rolled back
    web.check()
    policy.refresh_from_db()
    assert (policy.release, policy.stopped_at) == (old, None)


def test_a_release_that_is_dated_in_the_future_holds_nothing_up(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    with_release(web, "1", timedelta(hours=-5), 0, 1)
    web.policy()
    assert web.check() == 1


def test_an_end_that_is_dated_in_the_future_is_not_waited_for(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    policy = web.policy()
    gone = web.worker(400)
    Recycle.objects.create(
        service=policy.service, process=gone, name=str(gone), state="recycled", because="limit", why="large",
        at=web.now - timedelta(hours=1), ended_at=web.now + timedelta(hours=5),
    )  # fmt: skip
    web.end(gone)
    web.check()
    assert web.check(minutes=6) == 1


def test_a_clock_that_is_set_back_does_not_hold_it_up_for_hours(web: Deployment) -> None:
    for _ in range(3):
        web.worker(400)
    web.policy()
    row = ordered(web)
    assert row.process is not None
    web.end(row.process)
    web.check()
    web.succeed(row.process)
    web.now -= timedelta(hours=5)
    for worker in web.workers:
        worker.snapshots.update(timestamp=web.now)
    for worker in web.workers:
        worker.started_at = web.now - timedelta(hours=2)
        worker.save()
    assert web.check() == 0
    row.refresh_from_db()
    assert row.at <= web.now
    assert web.check(minutes=20) == 1


def test_a_worker_whose_hosts_clock_is_ahead_is_not_taken_for_a_young_one(web: Deployment) -> None:
    web.worker(400)
    web.worker(100)
    for worker in web.workers:
        worker.started_at, worker.first_seen_at = web.now + timedelta(hours=5), web.now - timedelta(hours=2)
        worker.save()
    web.policy()
    assert web.check() == 1


def test_a_peak_that_is_over_is_not_counted_again_until_private_memory_is_next_measured(web: Deployment) -> None:
    worker = web.worker(400)
    web.worker(100)
    policy = web.policy(checks=3)
    worker.snapshots.update(rss_kib=500 * 1024)
    measured = worker.snapshots.latest("timestamp")

    def check(rss_mb: int) -> int:
        web.now += MINUTE
        store_snapshots(worker, web.now, web.now, lambda _m: {"rss_kib": rss_mb * 1024})
        Process.objects.filter(pk=worker.pk).update(last_snapshot=worker.snapshots.latest("timestamp"))
        return checking.check(web.now, hub=web.hub)  # type: ignore[arg-type]

    assert [check(mb) for mb in (500, 200, 200, 200)] == [0, 0, 0, 0]
    policy.refresh_from_db()
    assert policy.said == "No worker is over."
    assert measured.uss_kib == 400 * 1024
    assert [check(mb) for mb in (490, 520, 510)] == [0, 0, 1]


def test_two_hubs_at_once_choose_one_worker_and_order_it_once(web: Deployment, monkeypatch: Any) -> None:
    web.worker(400)
    web.worker(390)
    web.policy()
    other = KeepingHub()
    real = checking.decide
    entered = []

    def decide_while_the_other_does(situation: Any) -> Any:
        if not entered:
            entered.append(1)
            checking.check(web.now, hub=other)  # type: ignore[arg-type]
        return real(situation)

    monkeypatch.setattr(checking, "decide", decide_while_the_other_does)
    web.check()
    assert Recycle.objects.count() == 1
    web.recorded()
    rows = [Recycle.objects.get() for _ in range(2)]
    for row, hub in zip(rows, (web.hub, other), strict=True):
        following._after_evidence(row, web.now, hub)  # type: ignore[arg-type]
    assert len(web.hub.orders + other.orders) == 1


def test_a_hub_that_dies_between_the_order_and_its_result_leaves_a_row_that_ends(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy()
    web.check()
    Recycle.objects.update(state="ordered", ordered_at=web.now)  # and then it was killed: no command was sent
    web.check(minutes=30)
    assert only().state == "left"
    assert "may not have been sent" in only().result
    assert web.hub.orders == []


def test_a_hub_that_dies_before_it_asks_for_evidence_leaves_a_row_that_the_next_one_takes_further(
    web: Deployment,
) -> None:
    worker = web.worker(400)
    web.worker()
    policy = web.policy()
    Recycle.objects.create(
        service=policy.service, process=worker, name=str(worker), state="evidence", because="limit", why="large",
        at=web.now, private_before_kib=400 * 1024,
    )  # fmt: skip
    web.check()
    assert (only().state, len(web.hub.orders)) == ("ordered", 1)


def test_a_worker_that_a_deploy_ends_while_it_drains_is_no_reason_to_stop_the_policy(web: Deployment) -> None:
    for _ in range(2):
        web.worker(400)
    with_release(web, "1", timedelta(days=9), 0, 1)
    policy = web.policy()
    row = ordered(web)
    answer(web.hub.orders[0], "done", "gunicorn worker, SIGTERM")
    for worker in web.workers:
        web.end(worker, Process.End.STOPPED)
    for worker in web.workers[:2]:
        web.succeed(worker, 390)
    with_release(web, "2", timedelta(0), 2, 3)
    web.check()
    row.refresh_from_db()
    assert (row.state, row.result) == ("recycled", "It ended: stopped.")
    policy.refresh_from_db()
    assert (policy.stopped_at, policy.over) == (None, {})
    assert "new release" in policy.said


@pytest.mark.parametrize(
    ("state", "says"), [("expired", "did not answer the order"), ("sent", "did not answer the order")]
)
def test_a_worker_that_does_not_answer_its_order_is_left_alone(state: str, says: str, web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy(drain_minutes=5)
    ordered(web)
    answer(web.hub.orders[0], state)
    web.check(minutes=8)
    assert (only().state, says in only().result) == ("left", True)


def test_a_policy_that_is_switched_off_calls_off_what_has_no_order(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy()
    web.check()
    RecyclingPolicy.objects.update(mode="off")
    web.check()
    assert (only().state, only().result) == ("called_off", "Recycling was switched off.")


def test_preloaded_workers_are_judged_by_their_private_memory(web: Deployment) -> None:
    """Resident memory of 80 MB and more is shared: private memory is small, and nobody is recycled."""
    web.worker(20, first_mb=15)
    web.worker(25, first_mb=15)
    web.policy(limit_mb=60.0)
    assert web.check() == 0


def test_a_whole_worker_is_ordered_as_such_where_the_policy_names_a_supervisor(web: Deployment) -> None:
    web.worker(400)
    web.worker()
    web.policy(supervisor="systemd")
    ordered(web)
    assert web.hub.orders[0].arguments["whole"] is True


def test_a_leak_in_the_main_process_is_inherited_and_nobody_is_recycled_for_it(web: Deployment) -> None:
    web.worker(400, first_mb=390)
    web.worker(400, first_mb=390)
    policy = web.policy()
    assert web.check() == 0
    policy.refresh_from_db()
    assert "a new worker starts with about as much" in policy.said


def test_what_a_worker_began_with_is_not_known_once_its_first_snapshots_are_pruned(web: Deployment) -> None:
    old = web.worker(400, first_mb=390, age=timedelta(days=9))
    web.worker(100)
    old.snapshots.filter(timestamp__lt=web.now).update(timestamp=web.now - timedelta(days=2))
    web.policy()
    assert web.check() == 1
