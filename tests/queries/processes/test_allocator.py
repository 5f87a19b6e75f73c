"""Resident memory at the same age, with a setting and without."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memwatch.models import Process, Snapshot, SnapshotRollup
from memwatch.queries.processes.allocator import change_of, last_check
from tests.services.recorded import store_recording
from tests.services.stored import NOON, store_process, store_snapshots

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
TWO = {"MALLOC_ARENA_MAX": "2"}


def life(slot: int, hours_ago: float, hours: float, mb: float, **values: Any) -> Process:
    """Its memory grows from half of ``mb`` to ``mb`` within six hours."""
    begin = NOON - hours_ago * HOUR
    process = store_process("web", slot=slot, started=begin, program="gunicorn worker", **values)

    def figures(minutes: float) -> dict[str, int]:
        age_h = minutes / 60 + hours_ago
        return {"rss_kib": round(1024 * mb * (0.5 + min(age_h, 6) / 12))}

    end = min(NOON, begin + hours * HOUR)
    store_snapshots(process, begin, end, figures, every=timedelta(minutes=5))
    Process.objects.filter(pk=process.pk).update(last_seen_at=end, ended_at=end if end < NOON else None)
    process.refresh_from_db()
    return process


def test_a_setting_is_judged_by_lives_at_the_same_age(django_assert_max_num_queries: Any) -> None:
    for slot in (1, 2, 3):
        life(slot, 30, 12, 760.0 + slot, allocator_settings={})
    life(9, 30, 12, 5_000.0, allocator_settings=None)  # an older agent: nobody knows
    now = [life(slot, 7, 7, 412.0 + slot, allocator_settings=TWO) for slot in (1, 2, 3)]
    with django_assert_max_num_queries(3):
        found = change_of(now[0])
    assert found is not None
    assert found.age_s == 6 * 3600
    assert found.with_mb == pytest.approx(414, abs=4)
    assert found.without_mb == pytest.approx(762, abs=8)
    assert (found.with_lives, found.without_lives) == (3, 3)
    assert (found.since, found.before) == (NOON - 7 * HOUR, {})


def test_lives_whose_snapshots_are_gone_are_read_from_roll_ups() -> None:
    old = life(1, 200, 12, 760.0, allocator_settings={})
    Snapshot.objects.filter(process=old).delete()
    SnapshotRollup.objects.create(
        process=old, period="hour", start=old.started_at + 5.5 * HOUR, samples=60, floors={},
        figures={"rss_kib": [1024 * 700, 1024 * 750, 1024 * 800]},
    )  # fmt: skip
    found = change_of(life(2, 7, 7, 412.0, allocator_settings=TWO))
    assert found is not None
    assert found.without_mb == 750


def test_programs_are_not_mixed_and_what_is_not_known_is_not_compared() -> None:
    main = life(1, 30, 12, 100.0, allocator_settings={})
    Process.objects.filter(pk=main.pk).update(program="gunicorn master")
    worker = life(2, 7, 7, 412.0, allocator_settings=TWO)
    assert change_of(worker) is None
    unknown = life(3, 7, 7, 412.0, allocator_settings=None)
    assert change_of(unknown) is None


def test_the_last_check_is_the_processes_own_else_anothers_of_its_service() -> None:
    one, other = (store_process("web", slot=slot, program="gunicorn worker") for slot in (1, 2))
    assert last_check(one) is None
    of_other = store_recording(other, "trim")
    store_recording(one, "trim", state="failed", result=None)
    assert last_check(one) == of_other
    own = store_recording(one, "trim")
    store_recording(other, "trim")
    assert last_check(one) == own
