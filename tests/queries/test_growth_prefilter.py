"""The cheap gates close on noise, and never on what detection would call a leak."""

from __future__ import annotations

import random

import pytest

from memwatch.detection import History, Thresholds, judge
from memwatch.queries.judging.growth_prefilter import Edge, contract_opens, may_open, shows

LIMITS = Thresholds()
POINTS = 60


def edges(counts, blocks, heap_kib, rss_kib):
    return [
        Edge.of({"1": count}, (blocks[i], heap_kib[i], heap_kib[i] * 1.1, heap_kib[i] * 0.7, rss_kib[i]))
        for i, count in enumerate(counts)
    ]


def opens(rows):
    if contract_opens(rows[0], rows[-1], LIMITS):
        return True
    middle = len(rows) // 2
    return may_open(rows[0], rows[-1]) and shows(rows[:4], rows[middle - 2 : middle + 2], rows[-4:])


def leaks(rows):
    figures = {
        "allocated_blocks": [row.memory[0] for row in rows],
        "total_objects": [56_000 + row.counts["1"] for row in rows],
        "heap_used_mb": [row.memory[1] / 1024 for row in rows],
        "pymalloc_used_mb": [row.memory[3] / 1024 for row in rows],
        "rss_mb": [row.memory[5] / 1024 for row in rows],
    }
    history = History(
        times=tuple(60.0 * i for i in range(len(rows))), figures=figures, counts={"T": [r.counts["1"] for r in rows]}
    )
    return any(verdict.is_leak for verdict in judge(history, thresholds=LIMITS, window="hour"))


def series(draw, *, base, gain, noise, saw, begin):
    """A steady gain from ``begin`` (a share of the window) on, with noise and a saw-tooth on top."""
    found = []
    for i in range(POINTS):
        grown = gain * max(0.0, i / POINTS - begin) / (1 - begin)
        found.append(base + grown + base * noise * draw.gauss(0, 1) + saw * (i % 7) / 7)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_what_detection_calls_a_leak_is_never_gated_out(seed):
    draw = random.Random(seed)
    gain = draw.choice((400, 2_000, 20_000))
    shape = {"noise": draw.choice((0.0, 0.005, 0.02)), "begin": draw.choice((0.0, 0.0, 0.3, 0.5))}
    counts = [int(value) for value in series(draw, base=draw.choice((500, 5_000)), gain=gain, saw=gain / 3, **shape)]
    blocks = [200_000 + 4 * count for count in counts]
    heap = [51_200 + count / 2 for count in counts]
    rows = edges(counts, blocks, heap, [80_000 + kib for kib in heap])
    assert opens(rows) or not leaks(rows)


@pytest.mark.parametrize("seed", range(10))
def test_untracked_growth_under_a_saw_tooth_is_not_gated_out(seed):
    draw = random.Random(seed)
    extra = series(draw, base=20_000, gain=30_000, noise=0.02, saw=15_000, begin=0.0)
    heap = [51_200 + blocks / 10 for blocks in extra]
    rows = edges([5_000] * POINTS, [200_000 + blocks for blocks in extra], heap, [80_000 + kib for kib in heap])
    assert opens(rows) or not leaks(rows)


def test_noise_seldom_opens_a_gate():
    draw = random.Random(7)
    opened = 0
    for _ in range(200):
        counts = [int(20_000 * (1 + 0.04 * draw.gauss(0, 1))) for _ in range(POINTS)]
        opened += opens(edges(counts, [2e5] * POINTS, [51_200] * POINTS, [80_000] * POINTS))
    assert opened <= 4


def test_a_slice_without_rows_and_a_type_without_a_count_are_given_the_benefit_of_the_doubt():
    rows = edges([5_000, 5_400], [2e5] * 2, [51_200] * 2, [80_000] * 2)
    assert shows([], rows, rows)
    assert shows([Edge.of({}, (None,) * 5)], rows, rows)


def test_a_container_that_grows_opens_the_gate_by_its_length():
    memory = (200_000, 51_200, 60_000, 40_000, 80_000)
    first, last = (
        Edge.of({}, memory, [{"type": "list", "name": "shop.FRAGMENTS", "length": length}]) for length in (1_000, 2_000)
    )
    assert contract_opens(first, last, LIMITS)
