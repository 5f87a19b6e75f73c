"""Which worker is recycled, when, and why not: every guard, alone and over a long time of chance."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from memwatch.detection.recycling import Decision, Past, Rules, Situation, Worker, decide

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
RULES = Rules(mode="act", limit_mb=300, checks=3, interval_s=900)
HOUR = 3600.0


def worker(number: int, private_mb: float | None = 200.0, **given: Any) -> Worker:
    values = {"age_s": 10 * HOUR, "first_private_mb": 50.0, "limit_mb": 1000.0, **given}
    return Worker(id=number, name=f"web-{number}", private_mb=private_mb, **values)


def situation(*workers: Worker, **given: Any) -> Situation:
    over = {each.id: 2 for each in workers if (each.private_mb or 0) >= 300 or each.leaks}
    return Situation(**{"now": NOON, "rules": RULES, "workers": workers, "over": over, **given})


def test_the_largest_worker_over_the_limit_is_recycled() -> None:
    found = decide(situation(worker(1, 310), worker(2, 400), worker(3)))
    assert (found.worker, found.because, found.guard) == (2, "limit", "")
    assert found.why == "web-2: 400 MB of private memory, the soft limit is 300 MB, for 3 checks."
    assert found.over == {1: 3, 2: 3}


def test_a_worker_is_due_after_its_number_of_checks_in_a_row() -> None:
    over: dict[int, int] = {}
    for private_mb, due in ((310, False), (310, False), (290, False), (310, False), (310, False), (310, True)):
        found = decide(situation(worker(1, private_mb), worker(2), over=over))
        over = dict(found.over)
        assert (found.worker == 1) is due, found


@pytest.mark.parametrize(
    ("given", "guard"),
    [
        ({"allowed": False}, "off_by_setting"),
        ({"rules": dataclasses.replace(RULES, mode="off")}, "mode_off"),
        ({"rules": dataclasses.replace(RULES, stopped="It gained nothing.")}, "stopped"),
        ({"pending": True}, "pending"),
        ({"deployed_s": 60.0}, "deploying"),
        ({"over": {}}, "nothing_due"),
        ({"history": (Past(at=NOON - timedelta(seconds=899), worker=9),)}, "too_soon"),
        ({"history": (Past(at=NOON - timedelta(seconds=950), worker=9),), "jitter": 1.0}, "too_soon"),
        ({"history": (Past(at=NOON - timedelta(seconds=10), worker=9, done=False),)}, "too_soon"),
    ],
)
def test_a_guard_objects(given: dict[str, Any], guard: str) -> None:
    found = decide(situation(worker(1, 400), worker(2), **given))
    assert (found.worker, found.guard) == (None, guard)
    assert found.why.endswith(".")


def test_nothing_objects_when_the_time_is_over() -> None:
    history = (Past(at=NOON - timedelta(seconds=901), worker=9),)
    assert decide(situation(worker(1, 400), worker(2), history=history, deployed_s=301.0)).worker == 1


@pytest.mark.parametrize(
    "others",
    [(), (worker(2, healthy=False),), (worker(2, healthy=False), worker(3, healthy=False))],
    ids=["alone", "one is not heard of", "two are not"],
)
def test_the_last_healthy_worker_is_never_recycled(others: tuple[Worker, ...]) -> None:
    assert decide(situation(worker(1, 400), *others)).guard == "last_worker"


def test_another_program_of_the_service_does_not_stand_in_for_the_last_worker() -> None:
    web = worker(1, 400, program="gunicorn worker")
    beat = worker(2, program="celery beat")
    assert decide(situation(web, beat)).guard == "last_worker"
    children = [worker(number, 350, program="celery child") for number in (3, 4)]
    assert decide(situation(web, beat, *children)).worker == 3  # the largest of those that have a stand-in


def test_a_parent_counts_as_no_worker_to_recycle_and_its_children_share_what_it_loaded() -> None:
    """A preloaded application: resident memory is all shared, and private memory is what counts."""
    parent = worker(1, 900, recyclable=False, healthy=False)
    assert decide(situation(parent, worker(2, 20, first_private_mb=15.0), worker(3, 20))).guard == "nothing_due"


def test_a_leak_in_the_parent_is_inherited_and_recycling_gains_nothing() -> None:
    children = [worker(number, 400, first_private_mb=390.0) for number in (1, 2)]
    found = decide(situation(*children))
    assert (found.worker, found.guard) == (None, "nothing_to_gain")


def test_a_limit_below_what_a_new_worker_needs_recycles_nothing() -> None:
    rules = dataclasses.replace(RULES, limit_mb=100)
    workers = [worker(number, 150, first_private_mb=145.0) for number in (1, 2, 3)]
    found = decide(situation(*workers, rules=rules, over={1: 9, 2: 9, 3: 9}))
    assert found.guard == "nothing_to_gain"


def test_a_young_worker_is_spared_and_said_to_have_grown_back() -> None:
    found = decide(situation(worker(1, 400, age_s=600.0), worker(2)))
    assert (found.worker, found.guard, tuple(found.grew_back)) == (None, "too_young", (1,))


def test_private_memory_that_is_not_measured_recycles_nobody() -> None:
    rules = dataclasses.replace(RULES, when="either")
    found = decide(situation(worker(1, None, leaks=True), worker(2, None), rules=rules))
    assert (found.guard, "not measured" in found.why) == ("nothing_due", True)


@pytest.mark.parametrize(
    ("when", "private_mb", "leaks", "because"),
    [
        ("limit", 400, False, "limit"),
        ("limit", 200, True, ""),
        ("leak", 200, True, "leak"),
        ("leak", 400, False, ""),
        ("either", 200, True, "leak"),
        ("either", 400, False, "limit"),
        ("either", 400, True, "both"),
        ("both", 400, False, ""),
        ("both", 200, True, ""),
        ("both", 400, True, "both"),
    ],
)
def test_what_has_to_be_met(when: str, private_mb: float, leaks: bool, because: str) -> None:
    rules = dataclasses.replace(RULES, when=when, checks=1)
    found = decide(situation(worker(1, private_mb, leaks=leaks), worker(2), rules=rules, over={}))
    assert (found.worker, found.because) == ((1, because) if because else (None, ""))


def test_the_limit_may_be_a_share_of_what_the_worker_may_grow_to() -> None:
    rules = dataclasses.replace(RULES, limit_mb=None, limit_percent=50.0, checks=1)
    assert decide(situation(worker(1, 499), worker(2), rules=rules)).worker is None
    assert decide(situation(worker(1, 501), worker(2), rules=rules)).worker == 1
    assert decide(situation(worker(1, 501, limit_mb=None), worker(2), rules=rules)).worker is None


def test_a_limit_in_percent_of_nothing_known_says_so() -> None:
    rules = dataclasses.replace(RULES, limit_mb=None, limit_percent=50.0)
    found = decide(situation(worker(1, 900, limit_mb=None), worker(2, limit_mb=None), rules=rules, over={}))
    assert found.why == "What its workers may grow to is not known: give the soft limit in MB."
    found = decide(situation(worker(1, 400), worker(2, limit_mb=None), rules=rules, over={}))
    assert found.why == "No worker is over."


def test_a_clock_that_was_set_back_waits_one_interval_and_not_for_hours() -> None:
    """The shell dates it anew; until then it counts as made now."""
    history = (Past(at=NOON + timedelta(hours=5), worker=9),)
    found = decide(situation(worker(1, 400), worker(2), history=history))
    assert found.guard == "too_soon"
    assert "15 min" in found.why


class Fleet(RuleBasedStateMachine):
    """Workers that leak, end and are recycled by chance; the clock jumps. Whatever happens, the guards hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.next_id = 1
        self.over: dict[int, int] = {}
        self.history: list[Past] = []
        self.workers: dict[int, Worker] = {}
        self.pending: int | None = None
        self.elapsed_s = 0.0
        self.last_order_s = -1e9
        """By a clock that nobody sets."""
        self.jumped = False

    @initialize(many=st.integers(1, 4))
    def start(self, many: int) -> None:
        for _ in range(many):
            self.add()

    def add(self) -> None:
        self.workers[self.next_id] = worker(self.next_id, 50, age_s=0.0)
        self.next_id += 1

    @rule(seconds=st.sampled_from([30, 60, 300, 900]), mb=st.lists(st.integers(0, 120), min_size=4, max_size=4))
    def time_passes(self, seconds: int, mb: list[int]) -> None:
        self.now += timedelta(seconds=seconds)
        self.elapsed_s += seconds
        for place, (key, each) in enumerate(list(self.workers.items())):
            grown = (each.private_mb or 0) + mb[place % 4]
            self.workers[key] = dataclasses.replace(each, age_s=each.age_s + seconds, private_mb=grown)

    @rule(hours=st.sampled_from([-3, -1, 1]))
    def the_clock_is_set(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.jumped = self.jumped or hours > 0
        self.history = [dataclasses.replace(past, at=min(past.at, self.now)) for past in self.history]

    @rule(which=st.integers(0, 3), healthy=st.booleans())
    def health_changes(self, which: int, healthy: bool) -> None:
        if self.workers:
            key = list(self.workers)[which % len(self.workers)]
            self.workers[key] = dataclasses.replace(self.workers[key], healthy=healthy)

    @rule(ends=st.booleans())
    def the_order_is_over(self, ends: bool) -> None:
        if self.pending is not None:
            if ends and self.workers.pop(self.pending, None):
                self.add()
            self.pending = None

    @rule()
    def check(self) -> None:
        before = list(self.workers.values())
        found = self.look()
        self.over = dict(found.over)
        if found.worker is None:
            return
        chosen = self.workers[found.worker]
        assert self.pending is None
        assert chosen.healthy
        assert (chosen.private_mb or 0) >= 300
        assert chosen.age_s >= RULES.interval_s
        assert any(each.healthy for each in before if each.id != chosen.id)
        assert self.over[chosen.id] >= RULES.checks
        assert self.jumped or self.elapsed_s - self.last_order_s >= RULES.interval_s
        self.jumped, self.last_order_s = False, self.elapsed_s
        self.pending = chosen.id
        self.history.insert(0, Past(at=self.now, worker=chosen.id))

    def look(self) -> Decision:
        return decide(
            Situation(
                now=self.now,
                rules=RULES,
                workers=tuple(self.workers.values()),
                over=self.over,
                history=tuple(self.history),
                pending=self.pending is not None,
            )
        )

    @invariant()
    def only_who_lives_is_counted(self) -> None:
        assert len(self.look().over) <= len(self.workers)


Fleet.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestFleet = Fleet.TestCase
