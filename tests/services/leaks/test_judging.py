"""Leaks from stored snapshots: opened, followed, resolved, reopened."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from memwatch.models import Counter, ExpectedGrowth, Leak, LeakEvent, SnapshotRollup
from memwatch.queries.deployment.stats import stats
from memwatch.queries.judging.detection_input import POINTS, EarlierCounts
from memwatch.services.leaks import actions, judging, lifecycle
from memwatch.services.leaks.expected_growth import ExpectedRules
from memwatch.signals import leak_detected
from tests.services.stored import (
    MINUTE,
    NOON,
    QUOTE,
    end_process,
    growing,
    store_process,
    store_snapshots,
    type_id,
)

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def heard():
    """Leaks that the signal told of."""
    told = []

    def listen(*, leak, **_kwargs):
        told.append((leak.object_type, leak.state))

    leak_detected.connect(listen)
    yield told
    leak_detected.disconnect(listen)


def leaking_process(*, until=NOON, stop=1e9, **values):
    process = store_process(**values)
    store_snapshots(process, NOON - 2 * HOUR, until, growing(-120, 100, until=stop))
    return process


def events(leak):
    return [event.kind for event in leak.events.all()]


def detections():
    return sum(Counter.objects.filter(name="leak_detections").values_list("value", flat=True))


def test_a_type_that_grows_for_an_hour_opens_one_leak(heard, django_capture_on_commit_callbacks):
    process = leaking_process()
    with django_capture_on_commit_callbacks(execute=True):
        result = judging.detect(NOON)
    leak = Leak.objects.get()
    assert (result.opened, result.judged, result.processes) == (1, 1, 1)
    assert (leak.object_type, leak.kind, leak.state, leak.process) == (QUOTE, "objects", "open", process)
    assert leak.growth_count > 5_000
    assert leak.verdict
    assert events(leak) == ["detected"]
    assert heard == [(QUOTE, "open")]
    counted = Counter.objects.get(name="leak_detections")
    assert counted.labels == f"service=web,severity={leak.severity}"
    assert counted.value == 1


def test_what_comes_and_goes_with_the_hours_opens_no_leak_once_some_were_seen():
    """Two hours up, one down, over and over: sessions of a site whose users come in waves."""

    def waves(minutes):
        at = minutes % 180
        return {"types": {QUOTE: int(500 + 40 * (at if at < 120 else 120 - 2 * (at - 120)))}}

    now = NOON + 110 * MINUTE
    young, old = store_process(slot=1, started=NOON), store_process(slot=2, started=NOON - 12 * HOUR)
    store_snapshots(young, NOON, now, waves)
    store_snapshots(old, NOON - 12 * HOUR, now, waves)
    judging.detect(now)
    assert Leak.objects.get().process == young


def test_a_leak_that_was_opened_goes_on_whatever_was_before(monkeypatch):
    leaking_process()
    judging.detect(NOON)
    asked = []
    told = looked_back_on(Leak.objects.get())
    assert told["outcome"] == "passed"
    monkeypatch.setattr(EarlierCounts, "of", lambda _self, name: asked.append(name))
    assert judging.detect(NOON + MINUTE).seen == 1
    assert asked == []
    assert looked_back_on(Leak.objects.get()) == told


def looked_back_on(leak):
    return next(rule for rule in leak.evidence["rules"] if rule["rule"] == "as_high_before")


def test_the_hours_before_are_read_thinly(django_assert_num_queries):
    process = store_process(started=NOON - 12 * HOUR)
    store_snapshots(process, NOON - 12 * HOUR, NOON, growing(-720, 10))
    earlier = EarlierCounts(process, since=NOON - 10 * HOUR, before=NOON - HOUR)
    with django_assert_num_queries(4):
        found = earlier.of(QUOTE)
    assert 60 < len(found) <= POINTS
    assert found == sorted(found)
    assert found[0] == pytest.approx(500 + 120 * 10, abs=70)
    assert found[-1] == pytest.approx(500 + 660 * 10, abs=70)
    assert earlier.of("unknown.Type") == []


def test_a_peak_at_the_start_hides_no_leak():
    def after_the_start(minutes):
        peak = 40_000 if minutes < -330 else 0
        return {"types": {QUOTE: int(500 + peak + max(0, minutes + 60) * 100)}}

    process = store_process()
    store_snapshots(process, NOON - 6 * HOUR, NOON, after_the_start)
    process.baselines.update(timestamp=NOON - 5 * HOUR)
    judging.detect(NOON)
    assert Leak.objects.get().object_type == QUOTE


def test_two_runs_on_the_same_figures_change_nothing():
    leaking_process()
    judging.detect(NOON)
    before = Leak.objects.values().get()
    again = judging.detect(NOON)
    assert (again.opened, again.seen, again.worsened) == (0, 1, 0)
    assert Leak.objects.values().get() == before
    assert LeakEvent.objects.count() == 1
    assert detections() == 1


def test_the_same_leak_in_two_workers_is_two_rows_of_one_service():
    leaking_process()
    leaking_process(slot=2)
    judging.detect(NOON)
    assert sorted(str(leak.process) for leak in Leak.objects.all()) == ["web-1 on a", "web-2 on a"]


def test_quiet_processes_are_not_even_loaded():
    process = store_process()
    store_snapshots(process, NOON - HOUR, NOON)
    result = judging.detect(NOON)
    assert (result.processes, result.judged, Leak.objects.count()) == (1, 0, 0)


def test_processes_seen_from_outside_and_without_snapshots_are_passed_over():
    store_process(outside=True)
    store_process(slot=2)
    assert judging.detect(NOON).opened == 0


def test_the_count_at_first_stays_while_the_window_moves_on():
    process = leaking_process()
    judging.detect(NOON)
    first = Leak.objects.get()
    store_snapshots(process, NOON + MINUTE, NOON + HOUR, growing(-120, 100))
    judging.detect(NOON + HOUR)
    leak = Leak.objects.get()
    assert leak.initial_count == first.initial_count
    assert leak.growth_count > first.growth_count + 5_000
    assert leak.started_at == first.started_at


def run_until(process, minutes, figures, begin=0, every=10):
    """Store and detect on, from NOON + begin minutes."""
    for minute in range(begin, minutes, every):
        store_snapshots(process, NOON + (minute + 1) * MINUTE, NOON + (minute + every) * MINUTE, figures)
        judging.detect(NOON + (minute + every) * MINUTE)


def test_a_leak_that_stops_growing_for_a_whole_window_is_resolved_once_and_stays_so():
    process = leaking_process()
    judging.detect(NOON)
    run_until(process, 60, growing(-120, 100, until=0))
    assert Leak.objects.get().state == "open"
    run_until(process, 240, growing(-120, 100, until=0), begin=60)
    leak = Leak.objects.get()
    assert (leak.state, events(leak)) == ("resolved", ["detected", "resolved"])
    assert leak.resolved_at is not None
    assert leak.events.last().comment.startswith("stopped growing")
    run_until(process, 300, growing(-120, 100, until=0), begin=240)
    assert events(leak) == ["detected", "resolved"]


def test_a_resolved_leak_that_grows_again_is_reopened_and_counted():
    process = leaking_process()
    judging.detect(NOON)
    leak = Leak.objects.get()
    actions.resolve(leak, by=None, comment="fixed", now=NOON)
    judging.detect(NOON + timedelta(seconds=30))
    assert Leak.objects.get().state == "resolved"
    run_until(process, 20, growing(-120, 100))
    leak = Leak.objects.get()
    assert (leak.state, leak.resolved_at) == ("open", None)
    assert events(leak) == ["detected", "resolved", "reopened"]
    assert detections() == 2


def test_a_leak_of_a_process_that_ended_is_resolved_and_its_successor_opens_one_quickly():
    process = leaking_process()
    judging.detect(NOON)
    end_process(process, NOON + MINUTE)
    successor = store_process(started=NOON)
    store_snapshots(successor, NOON + MINUTE, NOON + 7 * MINUTE, growing(0, 200))
    result = judging.detect(NOON + 7 * MINUTE)
    old, new = Leak.objects.order_by("id")
    assert (old.state, old.events.last().comment) == ("resolved", "process ended (said goodbye)")
    assert (new.state, new.process) == ("open", successor)
    assert (result.opened, result.resolved) == (1, 1)


def test_a_snooze_outlives_the_worker_it_was_set_for():
    process = leaking_process()
    judging.detect(NOON)
    until = NOON + timedelta(days=2)
    actions.snooze(Leak.objects.get(), until=until, by=None, now=NOON)
    end_process(process, NOON + MINUTE)
    successor = store_process(started=NOON)
    store_snapshots(successor, NOON + MINUTE, NOON + 30 * MINUTE, growing(0, 200))
    result = judging.detect(NOON + 30 * MINUTE)
    leak = Leak.objects.get(process=successor)
    assert (leak.state, leak.snoozed_until) == ("snoozed", until)
    assert (result.opened, result.snoozed, detections()) == (0, 1, 1)


def test_a_snooze_that_ends_opens_what_still_grows_and_resolves_what_does_not():
    process, other = leaking_process(), leaking_process(slot=2)
    judging.detect(NOON)
    for leak in Leak.objects.all():
        actions.snooze(leak, until=NOON + 2 * HOUR, by=None, now=NOON)
    for minute in range(10, 130, 10):
        now = NOON + minute * MINUTE
        store_snapshots(process, now - 9 * MINUTE, now, growing(-120, 100))
        store_snapshots(other, now - 9 * MINUTE, now, growing(-120, 100, until=0))
        judging.detect(now)
    assert Leak.objects.get(process=process).state == "open"
    assert events(Leak.objects.get(process=process)) == ["detected", "snoozed", "reopened"]
    assert Leak.objects.get(process=other).state == "resolved"


def test_a_worse_severity_wakes_a_snoozed_leak():
    process = leaking_process()
    judging.detect(NOON)
    leak = Leak.objects.get()
    actions.snooze(leak, until=NOON + timedelta(days=2), by=None, now=NOON)
    Leak.objects.update(severity="low")
    if leak.severity == "low":
        store_snapshots(process, NOON + MINUTE, NOON + HOUR, growing(-120, 100_000))
        judging.detect(NOON + HOUR)
    else:
        judging.detect(NOON + MINUTE)
    leak.refresh_from_db()
    assert (leak.state, events(leak)) == ("open", ["detected", "snoozed", "reopened"])
    assert "severity rose from low" in leak.events.last().comment


def test_expected_growth_holds_a_leak_back_counts_it_once_and_lets_it_go_when_it_ends():
    process = leaking_process()
    rule = ExpectedGrowth.objects.create(type_pattern="shop.leaks.*", reason="a cache", expires_at=NOON + HOUR)
    ExpectedGrowth.objects.create(type_pattern="other.*", reason="another")
    for second in range(3):
        judging.detect(NOON + timedelta(seconds=second))
    leak = Leak.objects.get()
    rule.refresh_from_db()
    assert (leak.state, leak.expected_growth, rule.matches) == ("suppressed", rule, 1)
    assert rule.last_matched_at == NOON + timedelta(seconds=2)
    assert detections() == 0
    store_snapshots(process, NOON + MINUTE, NOON + 61 * MINUTE, growing(-120, 100))
    judging.detect(NOON + 61 * MINUTE)
    leak.refresh_from_db()
    assert (leak.state, leak.expected_growth, detections()) == ("open", None, 1)


def test_what_is_suppressed_while_a_run_is_under_way_stays_suppressed(monkeypatch):
    leaking_process()
    judging.detect(NOON)
    leak, read_before = Leak.objects.get(), ExpectedRules()
    rule = actions.suppress(leak, by=None, reason="a cache", now=NOON)
    monkeypatch.setattr(judging, "ExpectedRules", lambda: read_before)
    judging.detect(NOON + timedelta(seconds=1))
    leak.refresh_from_db()
    assert (leak.state, leak.expected_growth, events(leak)) == ("suppressed", rule, ["detected", "suppressed"])
    rule.refresh_from_db()
    assert rule.suppressed_verdicts == 1


def test_expected_growth_of_another_service_holds_nothing_back():
    leaking_process()
    other = store_process("worker").service
    ExpectedGrowth.objects.create(type_pattern="*", service=other, reason="a batch")
    judging.detect(NOON)
    assert Leak.objects.get(process__service__name="web").state == "open"


def test_a_leak_too_slow_for_an_hour_is_found_in_the_roll_ups_of_a_day():
    process = store_process(started=NOON - timedelta(days=2))
    store_snapshots(process, NOON - HOUR, NOON, growing(-24 * 60, 0.05))
    for hour in range(24):
        count = 2_000 + 40 * hour + hour % 3
        figures = {
            name: [value + count / 2, value + count / 2 + 20, value + count / 2 + 60]
            for name, value in (("heap_used_kib", 51_200), ("rss_kib", 81_920))
        }
        figures["allocated_blocks"] = [200_000 + 4 * count, 200_100 + 4 * count, 200_900 + 4 * count]
        figures["total_objects"] = [56_000 + count, 56_100 + count, 56_500 + count]
        SnapshotRollup.objects.create(
            process=process, period="hour", start=NOON - timedelta(hours=24 - hour), samples=60, figures=figures,
            floors={type_id("shop.slow.Node"): count},
        )  # fmt: skip
    judging.detect(NOON)
    leak = Leak.objects.get(object_type="shop.slow.Node")
    assert leak.evidence["follow_up"]["window"] in ("day", "week")
    judging.detect(NOON + MINUTE)
    leak.refresh_from_db()
    assert leak.state == "open"


def test_a_process_that_disappears_meanwhile_stops_nobody(monkeypatch):
    gone, stays = leaking_process(), leaking_process(slot=2)
    real = judging.judge
    calls = []

    def judge_while_the_process_is_pruned(history, **kwargs):
        if not calls:
            gone.delete()
        calls.append(history)
        return real(history, **kwargs)

    monkeypatch.setattr(judging, "judge", judge_while_the_process_is_pruned)
    judging.detect(NOON)
    assert [leak.process for leak in Leak.objects.all()] == [stays]


def test_what_came_before_the_warm_up_is_not_judged():
    process = store_process(started=NOON - 20 * MINUTE)
    store_snapshots(process, NOON - 20 * MINUTE, NOON, growing(-20, 2_000, until=-10))
    process.baselines.update(timestamp=NOON - 9 * MINUTE)
    judging.detect(NOON)
    assert not Leak.objects.exists()


def test_the_window_follows_the_interval(settings):
    for interval, minutes in ((0.2, 10), (2, 10), (5, 25), (60, 60), (300, 300)):
        settings.MEMWATCH = {"SNAPSHOT_INTERVAL": interval}
        from memwatch.conf import get_settings

        assert judging.raw_window(get_settings()) == timedelta(minutes=minutes)


def test_a_run_without_a_time_takes_now():
    process = store_process(started=timezone.now())
    store_snapshots(process, timezone.now(), timezone.now())
    assert judging.detect().processes == 1


def test_every_suppressed_verdict_is_counted_and_told_with_its_time():
    leaking_process()
    leaking_process(slot=2)
    ExpectedGrowth.objects.create(type_pattern="shop.*", reason="a cache", expires_at=NOON + HOUR)
    ExpectedGrowth.objects.create(type_pattern="gone.*", reason="over", expires_at=NOON - HOUR)
    for second in range(3):
        judging.detect(NOON + timedelta(seconds=second))
    assert stats(NOON)["expected_growth"] == {
        "rules": 2, "rules_in_force": 1, "leaks_held_back": 2, "verdicts_suppressed": 6,
        "last_at": (NOON + timedelta(seconds=2)).isoformat(),
    }  # fmt: skip


def test_a_closed_leak_tells_rule_by_rule_why_it_was_one_and_why_it_is_none_now():
    process = leaking_process()
    judging.detect(NOON)
    run_until(process, 240, growing(-120, 100, until=0))
    leak = Leak.objects.get()
    assert leak.state == "resolved"
    assert {entry["outcome"] for entry in leak.evidence["rules"]} <= {"passed", "not applicable"}
    assert leak.evidence["trend"]["floors"]
    against = leak.evidence["why_not"]
    assert against["outcome"] in ("expected", "quiet")
    assert leak.events.last().comment.endswith(against["sentence"])


def test_a_milder_severity_that_lasts_is_noted():
    process = leaking_process()
    judging.detect(NOON)
    Leak.objects.update(severity="critical")
    run_until(process, 80, growing(-120, 100))
    leak = Leak.objects.get()
    assert leak.severity != "critical"
    assert events(leak) == ["detected", "eased"]
    assert leak.events.last().comment == f"from critical to {leak.severity}"


def resident_grows(mb_per_hour, limit_mb=None, *, begin_mb=200):
    """From ``begin_mb`` at NOON - 2 h on, with a limit of its own or none."""

    def figures(minutes):
        limit = {"heap_limit_kib": None, "heap_limit_source": ""}
        if limit_mb is not None:
            limit = {"heap_limit_kib": int(limit_mb * 1024), "heap_limit_source": "rlimit"}
        rss_kib = 1024 * (begin_mb + mb_per_hour * (minutes + 120) / 60)
        return {**growing(-120, 100)(minutes), **limit, "rss_kib": int(rss_kib), "heap_used_kib": int(rss_kib) // 2}

    return figures


def test_however_fast_it_grows_a_leak_without_an_end_in_sight_is_not_critical():
    store_snapshots(store_process(), NOON - 2 * HOUR, NOON, resident_grows(400))
    judging.detect(NOON)
    leak = Leak.objects.get()
    assert leak.evidence["statistics"]["floor_growth_percent_per_hour"] > 50
    assert (leak.time_to_exhaustion_s, leak.severity) == (None, "high")


def test_a_leak_that_has_taken_most_of_its_limit_is_critical_a_day_before_the_end():
    store_snapshots(store_process(), NOON - 2 * HOUR, NOON, resident_grows(5, limit_mb=1_070, begin_mb=1_000))
    judging.detect(NOON)
    leak = Leak.objects.get()
    assert leak.evidence["statistics"]["limit_share"] == pytest.approx(1_010 / 1_070, abs=0.01)
    assert leak.time_to_exhaustion_s == pytest.approx(12 * 3600, rel=0.2)
    assert leak.severity == "critical"


def test_a_critical_leak_stays_so_while_its_outlook_is_hardly_better():
    """4.5 hours are left all the time: that opens no critical leak, and ends none."""
    figures = resident_grows(20, limit_mb=240 + 20 * 4.5)
    process = store_process()
    store_snapshots(process, NOON - 2 * HOUR, NOON, figures)
    judging.detect(NOON)
    assert Leak.objects.get().severity == "high"
    Leak.objects.update(severity="critical")
    for minute in (1, 2):
        store_snapshots(process, NOON + minute * MINUTE, NOON + minute * MINUTE, figures)
        judging.detect(NOON + minute * MINUTE)
    leak = Leak.objects.get()
    assert (leak.severity, leak.evidence["follow_up"].get("calmer_since")) == ("critical", None)


@pytest.mark.parametrize(
    ("source", "severity", "hours"), [("cgroup", "critical", 1.0), ("rlimit", "low", 600), ("host", "medium", 600)]
)
def test_a_shared_container_is_judged_as_one_and_an_own_limit_as_its_own(source, severity, hours):
    """The container fills at 60 MB an hour and has 60 MB left; the process itself grows by 3 MB an hour."""

    def figures(minutes):
        return {
            **growing(-120, 100)(minutes),
            "heap_limit_source": source,
            "cgroup_used_kib": 2_097_152 - 61_440 + int(1_024 * minutes),
            "cgroup_limit_kib": 2_097_152,
        }

    process = store_process()
    store_snapshots(process, NOON - 2 * HOUR, NOON, figures)
    judging.detect(NOON)
    leak = Leak.objects.get()
    assert (leak.severity, leak.evidence["statistics"]["limit_source"]) == (severity, source)
    assert leak.time_to_exhaustion_s == pytest.approx(hours * 3600, rel=0.3)


def test_where_the_rows_of_one_process_fail_the_others_are_kept(monkeypatch, heard, caplog):
    processes = [leaking_process(slot=number) for number in range(3)]
    expected = ExpectedGrowth.objects.create(type_pattern="no.such.*", reason="none")
    bring_up = lifecycle._bring_up

    def fail(work, rows):
        if work.judgement.process == processes[1]:
            raise OperationalError("deadlock detected")
        bring_up(work, rows)

    monkeypatch.setattr(lifecycle, "_bring_up", fail)
    result = judging.detect(NOON)
    assert (result.opened, result.judged, result.failed) == (2, 3, 1)
    assert set(Leak.objects.values_list("process", flat=True)) == {processes[0].pk, processes[2].pk}
    assert detections() == 2
    assert f"leaks of {processes[1]} were not kept, the next run tries again: deadlock detected" in caplog.text
    expected.refresh_from_db()
    assert expected.matches == 0
    monkeypatch.setattr(lifecycle, "_bring_up", bring_up)
    assert judging.detect(NOON).opened == 1
    assert detections() == 3


def test_a_failed_transaction_counts_nothing_on_a_rule(monkeypatch):
    processes = [leaking_process(slot=number) for number in range(2)]
    rule = ExpectedGrowth.objects.create(type_pattern=QUOTE, reason="warms up")
    bring_up = lifecycle._bring_up

    def fail(work, rows):
        bring_up(work, rows)
        if work.judgement.process == processes[1]:
            raise OperationalError("deadlock detected")

    monkeypatch.setattr(lifecycle, "_bring_up", fail)
    assert judging.detect(NOON).suppressed == 1
    rule.refresh_from_db()
    assert (rule.matches, rule.suppressed_verdicts) == (1, 1)
