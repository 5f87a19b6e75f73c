"""A pass over a fleet must stay cheap: quiet series end at the gates."""

import time

from memwatch.detection import History, judge
from tests.detection.builders import snapshot


def best_ms(call, rounds=7):
    times = []
    for _ in range(rounds):
        begin = time.thread_time()
        call()
        times.append(time.thread_time() - begin)
    return min(times) * 1e3


def test_a_quiet_process_of_25_types_and_60_points_takes_about_a_millisecond():
    counts = [{f"app.T{n}": 1000 + (i * n) % 7 for n in range(25)} for i in range(60)]
    history = History.from_snapshots([snapshot(i, found, rss_mb=100.0 + i % 3) for i, found in enumerate(counts)])
    assert best_ms(lambda: judge(history)) < 3


def test_a_series_that_opens_takes_at_most_tens_of_milliseconds():
    history = History.from_snapshots([snapshot(i, {"app.Thing": 100 + 7 * i + i % 5}) for i in range(2000)])
    assert best_ms(lambda: judge(history)) < 60
