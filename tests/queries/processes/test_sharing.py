"""What the processes of a service share, from stored snapshots."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from memwatch.models import Process, Service
from memwatch.queries.processes.sharing import sharing_of
from tests.services.stored import MINUTE, NOON, end_process, store_process, store_snapshots

pytestmark = pytest.mark.django_db

MB = 1024


def life(
    slot: int, *, frozen: int | None, uss: tuple[int, int], started: datetime = NOON - timedelta(hours=2), **more: Any
) -> Process:
    """A forked process of 200 MB whose private memory went from one figure to another in MB, as its heap did not."""
    process = store_process(slot=slot, started=started, start_method="fork", frozen_objects=frozen, **more)
    minutes = 60 if process.ended_at else round((NOON - started) / MINUTE)

    def figures(at: float) -> dict[str, Any]:
        age = at - (started - NOON) / MINUTE
        if age % 5:
            return {"rss_kib": 200 * MB}
        private = uss[0] if age < 3 else uss[1]
        return {"rss_kib": 200 * MB, "uss_kib": private * MB, "pss_kib": (private + 40) * MB, "heap_used_kib": 90 * MB}

    store_snapshots(process, started, started + minutes * MINUTE, figures)
    return process


def test_a_service_with_one_measured_process_shares_nothing_to_speak_of() -> None:
    process = life(1, frozen=0, uss=(8, 115))
    store_snapshots(store_process(slot=2), NOON - MINUTE, NOON)
    assert sharing_of(process.service, now=NOON) is None


def test_what_is_private_shared_and_copied() -> None:
    for slot in (1, 2, 3, 4):
        life(slot, frozen=0, uss=(8, 115))
    found = sharing_of(Service.objects.get(), now=NOON)
    assert found is not None
    assert (found.processes, found.rss_mb, found.uss_mb, found.pss_mb) == (4, 800, 460, 620)
    assert (found.private_mb, found.shared_mb, found.saved_mb) == (115, 85, 180)
    assert found.methods == {"fork": 4}
    assert (found.frozen, found.copied_mb, found.effect) == (0, 107, None)


def test_a_heap_that_grew_is_not_taken_for_copied_pages() -> None:
    for slot in (1, 2):
        process = life(slot, frozen=0, uss=(8, 115))
        process.snapshots.filter(timestamp__gt=NOON - timedelta(hours=1)).update(heap_used_kib=190 * MB)
    found = sharing_of(Service.objects.get(), now=NOON)
    assert found is not None
    assert found.copied_mb == 7


def test_figures_of_long_ago_do_not_count() -> None:
    for slot in (1, 2):
        life(slot, frozen=0, uss=(8, 115))
    assert sharing_of(Service.objects.get(), now=NOON + timedelta(hours=3)) is None


def test_lives_before_and_after_the_hook_are_compared() -> None:
    for slot in (1, 2, 3):
        before = life(slot, frozen=0, uss=(8, 115), started=NOON - timedelta(hours=9))
        end_process(before, NOON - timedelta(hours=3))
    for slot in (1, 2):
        life(slot, frozen=312_000, uss=(7, 9))
    life(7, frozen=0, uss=(1, 1), started=NOON - 3 * MINUTE)  # too young to compare
    found = sharing_of(Service.objects.get(), now=NOON)
    assert found is not None
    assert found.frozen == 2
    effect = found.effect
    assert effect is not None
    assert (effect.before_mb, effect.before_lives, effect.after_mb, effect.after_lives) == (115, 3, 9, 2)
