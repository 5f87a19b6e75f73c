"""When the agent samples and tries again."""

from __future__ import annotations

import random

from memwatch.agent.scheduling import Backoff, Timetable


def test_the_first_snapshot_comes_soon_the_second_at_a_random_phase_then_one_an_interval() -> None:
    firsts, seconds = [], []
    for seed in range(200):
        timetable = Timetable(60, now=100, chance=random.Random(seed))
        firsts.append(timetable.next_at)
        timetable.taken(timetable.next_at)
        seconds.append(timetable.next_at - firsts[-1])
        third = timetable.next_at + 60
        timetable.taken(timetable.next_at)
        assert timetable.next_at == third
    assert 100 <= min(firsts) <= max(firsts) <= 102
    assert min(seconds) > 0
    assert max(seconds) <= 60
    assert max(seconds) - min(seconds) > 45, "a thousand processes do not pause at once"


def test_short_intervals_are_kept_from_the_first_snapshot_on() -> None:
    timetable = Timetable(0.2, now=0, chance=random.Random(1))
    assert timetable.next_at <= 0.2


def test_snapshots_missed_while_the_process_stood_still_are_left_out() -> None:
    timetable = Timetable(60, now=0, chance=random.Random(1))
    timetable.taken(2)
    phase = timetable.next_at % 60
    timetable.taken(timetable.next_at + 600)
    assert timetable.next_at > 602
    assert timetable.next_at - 662 < 60
    assert round(timetable.next_at % 60 - phase, 6) == 0, "the phase stays"


def test_pauses_between_attempts_grow_up_to_a_minute_and_are_drawn_at_random() -> None:
    lengths = []
    backoff = Backoff(chance=random.Random(1))
    for _ in range(50):
        backoff.failed(1000)
        lengths.append(backoff.retry_at - 1000)
    assert 0.5 <= lengths[0] <= 1
    assert all(30 <= length <= 60 for length in lengths[7:])
    assert len(set(lengths)) == 50
    assert not backoff.ready(1000)
    backoff.succeeded()
    assert backoff.ready(1000)
    backoff.failed(1000)
    assert backoff.retry_at <= 1001
