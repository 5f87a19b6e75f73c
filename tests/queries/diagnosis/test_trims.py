"""How resident memory grew after a check."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memwatch.diagnosis.result_shape import checked
from memwatch.models import Process, Recording
from memwatch.queries.diagnosis import trims
from tests.services.recorded import TRIM, store_recording
from tests.services.stored import MINUTE, NOON, end_process, store_process, store_snapshots

pytestmark = pytest.mark.django_db


def check(process: Process, *, rss_mb: Any = lambda _minutes: 900.0, **values: Any) -> Recording:
    """A check at noon, with snapshots of the hour before and after it."""
    store_snapshots(
        process, NOON - 60 * MINUTE, NOON + 60 * MINUTE, lambda minutes: {"rss_kib": round(1024 * rss_mb(minutes))}
    )
    made = {"finished_at": NOON, "requested_at": NOON, "result": {**TRIM, "at": NOON.timestamp()}, **values}
    return store_recording(process, "trim", **made)


def followed(recording: Recording, minutes: float) -> dict[str, Any]:
    return trims.followed(recording, checked("trim", recording.result), NOON + minutes * MINUTE)


def test_the_snapshots_after_the_call_are_the_regrowth_and_end_after_the_time_asked_for() -> None:
    recording = check(store_process(), rss_mb=lambda minutes: 820.0 + 100 * minutes, options={"watch_minutes": 3})
    found = followed(recording, 2)
    assert found["watched_s"] is None
    over = followed(recording, 4)
    assert over["watched_s"] == 180
    assert over["regrowth"] == [
        {"seconds": 60, "rss_mb": 920}, {"seconds": 120, "rss_mb": 1020}, {"seconds": 180, "rss_mb": 1120},
    ]  # fmt: skip


def test_a_process_that_ends_is_followed_until_then() -> None:
    process = store_process()
    recording = check(process, options={"watch_minutes": 60})
    process.snapshots.filter(timestamp__gt=NOON + 2 * MINUTE).delete()
    end_process(process, NOON + 2 * MINUTE)
    recording.refresh_from_db()
    assert followed(recording, 3)["watched_s"] == 120


def test_a_long_time_has_a_bounded_number_of_points() -> None:
    process = store_process()
    recording = check(process, options={"watch_minutes": 60})
    for seq in range(1, 1_000):
        process.snapshots.create(seq=10_000 + seq, timestamp=NOON + seq * timedelta(seconds=3), rss_kib=1)
    assert len(followed(recording, 62)["regrowth"]) <= trims.MOST_LEVELS + 1


@pytest.mark.parametrize("at", [0.0, -1e15, 1e15, 1e12])
def test_a_clock_that_is_wrong_is_not_used(at: float) -> None:
    recording = check(store_process(), result={**TRIM, "at": at})
    assert followed(recording, 2)["regrowth"][0]["seconds"] == 60


def test_what_was_not_trimmed_is_not_followed(django_assert_num_queries: Any) -> None:
    recording = check(store_process(), result={**TRIM, "trimmed": False, "reason": "musl"})
    with django_assert_num_queries(0):
        assert followed(recording, 2)["regrowth"] == []


def test_the_verdict_counts_what_came_back() -> None:
    recording = check(store_process(), rss_mb=lambda minutes: 2_140.0 if minutes > 1.5 else 850.0)
    found = trims.verdict_of(recording)
    assert found is not None
    assert "came back within 2 minutes" in found.sentence
    recording.result = {"at": "x"}
    assert trims.verdict_of(recording) is None
