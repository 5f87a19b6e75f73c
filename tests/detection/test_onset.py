"""A leak that begins in an old process: named within 20 intervals of its beginning."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.leaks.onset import BEGINS, GIVE_UP, LEAKS, WITHIN, false_names, life, named_after
from memwatch.detection import History, judge
from tests.detection.builders import series


@pytest.mark.parametrize("begun", BEGINS)
def test_a_steady_leak_among_a_million_objects_is_named_within_twenty_intervals(begun):
    begin = BEGINS[begun]
    history = life(Random(11), LEAKS["a request each"], begin, begin + GIVE_UP)
    assert named_after(history, begin) <= WITHIN


def test_nothing_is_named_in_a_process_that_only_works():
    assert false_names(life(Random(12), None, 0, 180)) == []


def rise(i):
    """Quiet for 45 minutes, then 30 a minute."""
    return 400 + i % 3 + 30 * max(0, i - 45)


def verdict_of_hour(level, earlier=()):
    history = History.from_snapshots(series(level, 60))
    object.__setattr__(history, "earlier", lambda _name: earlier)
    (found,) = judge(history, window="hour")
    return found


def test_what_was_before_the_rise_is_in_its_verdict_and_its_beginning():
    found = verdict_of_hour(rise)
    assert found.is_leak
    assert found.initial_count == pytest.approx(400, abs=5)
    assert found.statistics["points"] < 30


def test_a_rise_of_late_to_where_it_was_before_waits_for_the_whole_window():
    assert verdict_of_hour(rise, earlier=(400, 700, 760, 500, 400)).outcome != "leak"


def test_a_batch_of_ten_minutes_is_not_named():
    found = verdict_of_hour(lambda i: 400 + i % 3 + 60 * max(0, i - 50))
    assert found.outcome == "not enough data"
