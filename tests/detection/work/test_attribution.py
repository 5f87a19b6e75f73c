"""Which work explains a leak: in simulated programs, and in small cases by hand."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random

import pytest

from memwatch.detection.work.attribution import (
    EVERY_JOB,
    EXPLAINED,
    FEW,
    FILLING,
    NONE,
    TIME,
    TOGETHER,
    Attribution,
    Culprit,
    Direct,
    Step,
    attribute,
)
from memwatch.detection.work.sentence import REMARKS, sentence, sentences
from tests.detection.work.programs import AMBIGUOUS, EVERY, SHAPES, TIMERS, Program, program

SEEDS = range(1000, 1005)
"""The method was tuned on seeds below 100."""


@cache
def told(name: str) -> list[tuple[Program, Attribution]]:
    programs = [program(name, seed) for seed in SEEDS]
    return [(made, attribute(made.processes, made.direct)) for made in programs]


@dataclass
class Score:
    programs: int = 0
    hits: Counter[str] = field(default_factory=Counter)

    def share(self, of: str, among: str = "programs") -> float:
        return self.hits[of] / (self.programs if among == "programs" else self.hits[among])


def score(*names: str) -> Score:
    found = Score()
    for made, told_of_it in (pair for name in names for pair in told(name)):
        found.programs += 1
        top = max(made.shares.values())
        right = {work for work, share in made.shares.items() if share > 0.8 * top} | made.inseparable
        works = [work for culprit in told_of_it.culprits for work in culprit.works]
        found.hits["first"] += bool(works and works[0] in right)
        found.hits["among three"] += bool(right & set(works[:3]))
        for culprit in told_of_it.culprits:
            if len(culprit.works) == 1 and culprit.works[0] in made.truth:
                found.hits["intervals"] += 1
                found.hits["cover"] += culprit.low <= made.truth[culprit.works[0]] <= culprit.high
    return found


def test_the_culprit_comes_first_in_nine_programs_of_ten():
    found = score(*SHAPES)
    assert found.programs >= 150
    assert found.share("first") >= 0.9
    assert found.share("among three") >= 0.97


def test_the_intervals_contain_the_truth():
    assert 0.9 <= score(*SHAPES).share("cover", "intervals") <= 0.98


@pytest.mark.parametrize("shape", SHAPES)
def test_the_culprit_is_mostly_named_in_every_shape(shape):
    assert score(shape).share("among three") >= 0.6


def test_a_timer_blames_nobody():
    found = [told_of_it for name in TIMERS for _made, told_of_it in told(name)]
    assert sum(not told_of_it.culprits for told_of_it in found) >= 0.95 * len(found)
    assert sum(told_of_it.remark in (TIME, TOGETHER) for told_of_it in found) >= 0.95 * len(found)


@pytest.mark.parametrize("shape", AMBIGUOUS)
def test_where_little_can_be_known_most_names_that_are_blamed_are_right(shape):
    blamed = [made for made, told_of_it in told(shape) if told_of_it.culprits]
    right = [made for made, told_of_it in told(shape) if works(told_of_it) & set(made.truth)]
    assert len(right) >= 0.6 * len(blamed)


@pytest.mark.parametrize("shape", EVERY)
def test_what_is_kept_at_every_job_is_blamed_on_no_name(shape):
    right = 0
    for made, told_of_it in told(shape):
        every = [culprit for culprit in told_of_it.culprits if culprit.every]
        if every and set(every[0].but) <= made.left_out and works(told_of_it) <= set(made.truth):
            right += abs(every[0].per_call - EVERY[shape].every) < 0.05 * EVERY[shape].every
            assert told_of_it.remark in (EVERY_JOB, EXPLAINED)
    assert right >= 4


def in_waves(chance: Random, names: int, length: int = 180) -> list[dict[int, int]]:
    """Calls of names of which the first is called most, which all rise and fall at once."""
    weights = [1 / (name + 1) ** 0.7 for name in range(names)]
    done = []
    for place in range(length):
        load = 30 * (1 + 0.8 * math.sin(place * math.pi / 10)) / sum(weights)
        rates = [load * weight for weight in weights]
        done.append({name: max(0, round(chance.gauss(rate, math.sqrt(rate)))) for name, rate in enumerate(rates)})
    return done


def written_later(chance: Random, done: list[dict[int, int]], every: int = 3) -> list[float]:
    """One object of each call, kept at each third census or so."""
    growth, waiting = [], 0
    for place, calls in enumerate(done):
        waiting += sum(calls.values())
        written = round(waiting - chance.random() * sum(calls.values())) if place % every == 0 else 0
        growth.append(float(written))
        waiting -= written
    return growth


def test_what_a_thread_writes_down_of_every_job_is_seldom_blamed_on_a_name():
    blamed = 0
    for seed in range(1000, 1040):
        chance = Random(seed)
        done = in_waves(chance, 9)
        blamed += bool(works(attribute([steps(done, written_later(chance, done), 1.0)])))
    assert blamed <= 6


def test_one_name_in_waves_is_named_although_all_names_rise_and_fall_at_once():
    for seed in range(1000, 1010):
        done = in_waves(Random(seed), 9)
        found = attribute([steps(done, [2.0 * calls[4] for calls in done], 1.0)])
        assert works(found) == {4}, seed


def pool(chance: Random, names: int, servers: int, load: float) -> list[Step]:
    """The calls of each name open three links to each of many servers, some of which are seldom used."""
    used = [1 / (server + 1) for server in range(servers)]
    weights = [(name + 1) ** -0.8 for name in range(names)]
    seen: set[tuple[int, int]] = set()
    done, growth = [], []
    for _ in range(180):
        each = chance.choices(range(names), weights, k=max(0, round(chance.gauss(load, math.sqrt(load)))))
        before = len(seen)
        seen.update(zip(each, chance.choices(range(servers), used, k=len(each)), strict=True))
        done.append(dict(Counter(each)))
        growth.append(3.0 * (len(seen) - before))
    return steps(done, growth, 1.0)


@pytest.mark.parametrize(("names", "servers", "load"), [(20, 40, 15), (12, 40, 15), (8, 100, 10), (1, 100, 5)])
def test_a_pool_that_fills_is_blamed_on_nobody(names, servers, load):
    kinds = dict.fromkeys(range(names), "task")
    for seed in range(1000, 1015):
        chance = Random(seed)
        found = attribute([pool(chance, names, servers, load) for _process in range(2)], kinds=kinds)
        assert found.culprits == (), seed


def test_a_pool_that_all_names_fill_alike_is_said_to_fill():
    chance = Random(1000)
    found = attribute([pool(chance, 8, 100, 10) for _process in range(2)], kinds=dict.fromkeys(range(8), "task"))
    assert (found.culprits, found.remark) == ((), FILLING)


def test_a_leak_beside_a_cache_that_its_calls_fill_at_first_is_named():
    for seed in range(1000, 1010):
        chance = Random(seed)
        done = [{1: chance.randint(2, 20), 2: chance.randint(5, 30)} for _ in range(120)]
        growth = [2.0 * calls[1] + (30.0 if place < 12 else 0.0) for place, calls in enumerate(done)]
        assert works(attribute([steps(done, growth)])) == {1}, seed


def test_no_culprit_is_taken_for_every_job():
    found = [told_of_it for name in (*SHAPES, *TIMERS) for _made, told_of_it in told(name)]
    assert sum(any(culprit.every for culprit in told_of_it.culprits) for told_of_it in found) == 0


def test_names_that_always_run_together_are_one_culprit():
    for made, told_of_it in told("together"):
        (culprit, *_others) = told_of_it.culprits
        assert set(culprit.works) == {*made.truth, *made.inseparable}
        assert told_of_it.remark == TOGETHER


def test_single_calls_tell_apart_what_always_runs_together():
    apart = [told_of_it for made, told_of_it in told("together, blocks") if set(made.truth) == works(told_of_it)]
    assert len(apart) >= 0.5 * len(SEEDS)
    assert {culprit.source for told_of_it in apart for culprit in told_of_it.culprits} == {"direct"}


def works(told_of_it: Attribution) -> set[int]:
    return {work for culprit in told_of_it.culprits for work in culprit.works}


def steps(calls: list[dict[int, int]], growth: list[float], seconds: float = 60.0) -> list[Step]:
    return [Step(seconds, more, done) for done, more in zip(calls, growth, strict=True)]


RANDOM = Random(20)
UNEVEN = [{1: RANDOM.randint(2, 20), 2: RANDOM.randint(5, 30)} for i in range(40)]
EVEN = [{1: 10, 2: 20, 3: 5} for _ in range(40)]


def test_the_work_that_leaks_two_objects_a_call_is_named_with_its_figures():
    found = attribute([steps(UNEVEN, [2.0 * done[1] + i % 3 for i, done in enumerate(UNEVEN)])])
    (culprit,) = found.culprits
    assert (culprit.works, culprit.source, found.remark) == ((1,), "regression", EXPLAINED)
    assert culprit.low <= 2 <= culprit.high
    assert culprit.share > 0.9


def test_growth_with_time_blames_nobody():
    found = attribute([steps(UNEVEN, [30.0 + i % 3 for i in range(40)])])
    assert (found.culprits, found.remark) == ((), TIME)


def test_two_names_that_leak_are_both_named_largest_first():
    found = attribute([steps(UNEVEN, [2.0 * done[1] + 3.0 * done[2] + i % 3 for i, done in enumerate(UNEVEN)])])
    assert [culprit.works for culprit in found.culprits] == [(2,), (1,)]
    assert sum(culprit.share for culprit in found.culprits) > 0.9


def kept(blocks_each: dict[int, float], calls: int = 400) -> dict[int, Direct]:
    return {work: Direct(calls, calls, mean * calls, (mean**2 + 5.0**2) * calls) for work, mean in blocks_each.items()}


def test_under_an_even_load_the_blocks_of_single_calls_decide():
    found = attribute([steps(EVEN, [20.0 + i % 2 for i in range(40)])], kept({1: 6.0, 2: 0.0, 3: 0.0}))
    (culprit,) = found.culprits
    assert (culprit.works, culprit.source) == ((1,), "direct")
    assert culprit.per_call == pytest.approx(2.05, rel=0.05)


def test_under_an_even_load_nobody_is_blamed_without_blocks():
    found = attribute([steps(EVEN, [20.0 + i % 2 for i in range(40)])])
    assert (found.culprits, found.remark, set(found.alike)) == ((), TOGETHER, {1, 2, 3})


def test_under_an_even_load_whose_calls_keep_nothing_it_is_a_timer():
    found = attribute([steps(EVEN, [20.0 + i % 2 for i in range(40)])], kept({1: 0.0, 2: 0.0, 3: 0.0}, calls=4000))
    assert (found.culprits, found.remark) == ((), TIME)


def test_a_name_that_keeps_far_more_than_the_leak_takes_has_another_leak():
    found = attribute([steps(EVEN, [20.0 + i % 2 for i in range(40)])], kept({1: 6.0, 2: 500.0, 3: 0.0}))
    assert found.culprits[0].works == (1,)


def test_blocks_that_the_process_does_not_have_are_garbage():
    growth = [20.0 + i % 2 for i in range(40)]
    grown = [replace(step, blocks=100.0) for step in steps(EVEN, growth)]
    garbage = [replace(step, blocks=10.0) for step in steps(EVEN, growth)]
    keeping = kept({1: 6.0, 2: 0.0, 3: 0.0})
    assert attribute([grown], keeping).culprits[0].works == (1,)
    assert attribute([garbage], keeping).culprits == ()


def beside_a_thread(seed: int, *, leaks: bool, every: int = 4) -> tuple[list[Step], dict[int, Direct]]:
    """Work at a steady pace, each with its own; 1 is the rarest, and its calls keep blocks. What grows comes from a
    thread, 40 objects in every fourth step, or from the calls of 1.
    """
    chance = Random(seed)
    paces = {1: chance.uniform(0.1, 0.3), **{work: chance.uniform(0.3, 4.0) for work in range(2, 9)}}
    done = [{w: int((i + 1) * pace) - int(i * pace) for w, pace in paces.items()} for i in range(120)]
    each = [40.0 * calls[1] if leaks else 10.0 * every * (i % every == 0) for i, calls in enumerate(done)]
    total = Counter[int]()
    for calls in done:
        total.update(calls)
    each_kept = {work: 3 * sum(each) / calls if work == 1 else chance.gauss(0, 0.3) for work, calls in total.items()}
    direct = {
        work: Direct(total[work], 100, mean * 100, (mean**2 + max(5.0, mean / 3) ** 2) * 100)
        for work, mean in each_kept.items()
    }
    grown = [replace(step, blocks=3 * step.growth + chance.gauss(0, 20)) for step in steps(done, each, 1.0)]
    return grown, direct


@pytest.mark.parametrize("every", [1, 2, 4])
def test_what_grows_as_well_in_steps_without_calls_is_not_the_calls(every):
    for seed in range(20):
        grown, direct = beside_a_thread(seed, leaks=False, every=every)
        assert attribute([grown], direct).culprits == (), seed
        grown, direct = beside_a_thread(seed, leaks=True)
        assert works(attribute([grown], direct)) == {1}, seed


@pytest.mark.parametrize("seed", range(20))
def test_what_a_thread_keeps_while_calls_run_is_not_the_calls(seed):
    chance = Random(seed)
    pace, blocks = chance.uniform(0.1, 5.0), chance.uniform(3.0, 6.0)
    each = {work: chance.uniform(1.5, 3.0) for work in (1, 2, 3)}
    grown = [replace(step, blocks=blocks * step.growth) for step in steps(EVEN, [60 * pace + i % 2 for i in range(40)])]

    def timed(blocks_each: dict[int, float]) -> dict[int, Direct]:
        found = kept(blocks_each, calls=40_000)
        return {work: replace(direct, seconds=direct.calls * each[work]) for work, direct in found.items()}

    during = {work: blocks * pace * seconds * 0.99 for work, seconds in each.items()}
    assert works(attribute([grown], kept(during, calls=40_000))), "it would be blamed if the time were not known"
    assert attribute([grown], timed(during)).culprits == ()
    assert works(attribute([grown], timed({1: 6 * blocks * pace, 2: 0.0, 3: 0.0}))) == {1}


def test_the_blocks_of_one_leak_explain_no_other():
    grown = steps(EVEN, [20.0 + i % 2 for i in range(40)])
    keeping = kept({1: 6.0, 2: 0.0, 3: 0.0})
    assert works(attribute([grown], keeping, {2: 8.0})) == {1}
    assert attribute([grown], keeping, {1: 8.0}).culprits == ()
    assert works(attribute([grown], kept({1: 14.0, 2: 0.0, 3: 0.0}), {1: 8.0})) == {1}


def test_blocks_that_one_name_keeps_and_another_frees_are_garbage():
    grown = [replace(step, blocks=100.0) for step in steps(EVEN, [20.0 + i % 2 for i in range(40)])]
    assert attribute([grown], kept({1: 60.0, 2: 0.0, 3: -100.0})).culprits == ()


def test_one_step_with_a_large_growth_hides_nobody():
    growth = [2.0 * done[1] + i % 7 for i, done in enumerate(UNEVEN)]
    growth[30] += 2000
    (culprit,) = attribute([steps(UNEVEN, growth)]).culprits
    assert culprit.works == (1,)
    assert culprit.low <= 2 <= culprit.high


def test_seven_steps_are_too_few():
    assert attribute([]).remark == FEW
    assert attribute([steps([{1: i} for i in range(7)], [2.0 * i for i in range(7)])]).remark == FEW


@pytest.mark.parametrize("growth", [[0.0] * 40, [-5.0] * 40, [(-1.0) ** i for i in range(40)]])
def test_what_does_not_grow_has_no_culprit(growth):
    assert attribute([steps(UNEVEN, growth)]).culprits == ()


@pytest.mark.parametrize("calls", [[{}] * 40, [{1: 0}] * 40, [{1: 1}] * 40, [{1: 10**12, 2: -(10**9)}] * 40])
def test_odd_counts_blame_nobody(calls):
    assert attribute([steps(calls, [float(i % 5) for i in range(40)])]).culprits == ()


def test_steps_that_took_no_time_are_none():
    assert attribute([steps(UNEVEN, [1.0] * 40, seconds=0.0)]).remark == FEW


def test_a_sentence_says_what_a_call_costs_and_what_it_explains():
    culprit = Culprit((1,), 2.0, 1.9, 2.1, 0.97, "regression")
    assert sentence(culprit, {1: "shop.tasks.sync_prices"}, "objects") == (
        "shop.tasks.sync_prices: 2.0 objects a call (1.9 to 2.1), explains 97 % of the growth."
    )


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ((2.0, 1.99, 2.01), "2.00 objects a call (1.99 to 2.01)"),
        ((0.0123, 0.01, 0.0146), "0.012 objects a call (0.010 to 0.015)"),
        ((12345.6, 12000.0, 12700.0), "12,346 objects a call (12,000 to 12,700)"),
    ],
)
def test_figures_have_the_digits_that_are_known(figures, text):
    assert text in sentence(Culprit((1,), *figures, 1.0, "regression"), {1: "a"}, "objects")


def test_what_runs_together_is_named_together():
    culprit = Culprit((1, 2), 2.0, 1.9, 2.1, 0.97, "regression")
    (said,) = sentences(Attribution((culprit,), TOGETHER), {1: "shop:cart", 2: "shop:prices"}, "objects")
    assert "cannot tell" in said
    assert "shop:cart, shop:prices" in said


@pytest.mark.parametrize("remark", [TIME, NONE, FEW, TOGETHER, FILLING])
def test_a_remark_alone_is_a_sentence(remark):
    assert sentences(Attribution((), remark), {}, "objects") == (REMARKS[remark],)


def test_what_runs_as_evenly_as_time_is_named_but_not_blamed():
    (said,) = sentences(Attribution((), TOGETHER, (1,)), {1: "shop.tasks.beat"}, "objects")
    assert said.endswith("shop.tasks.beat.")
    assert "A timer or a thread may be the cause" in said


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (("view",), "Every request, whatever its view: 1.00 objects a call (0.99 to 1.01), explains 97 %"),
        (("task",), "Every task, whatever its name: "),
        (("task", "view"), "Every job, whatever its name: "),
        (("",), "Every job, whatever its name: "),
    ],
)
def test_every_job_is_said_without_a_name_and_with_where_to_look(kinds, said):
    culprit = Culprit((), 1.0, 0.99, 1.01, 0.97, "regression", every=kinds)
    text = sentence(culprit, {}, "objects")
    assert text.startswith(said)
    assert "Look at what runs around each" in text


def test_a_name_that_every_job_does_not_mean_is_said():
    culprit = Culprit((), 1.0, 0.99, 1.01, 0.97, "regression", every=("view",), but=(3,))
    assert "whatever its view, except shop.health: 1.00 objects" in sentence(culprit, {3: "shop.health"}, "objects")


def test_of_views_and_tasks_only_the_kind_is_blamed_that_keeps():
    chance = Random(21)
    done = [{work: chance.randint(5, 20) for work in range(12)} for _ in range(60)]
    kinds = {work: "view" if work < 6 else "task" for work in range(12)}
    growth = [float(sum(n for work, n in calls.items() if work < 6)) + chance.randint(-1, 1) for calls in done]
    found = attribute([steps(done, growth)], kinds=kinds)
    (culprit,) = found.culprits
    assert (culprit.works, culprit.every, found.remark) == ((), ("view",), EVERY_JOB)
    assert culprit.low <= 1 <= culprit.high


def test_three_names_that_keep_as_much_are_named():
    done = [{work: RANDOM.randint(5, 30) for work in range(3)} for _ in range(60)]
    found = attribute([steps(done, [float(sum(calls.values())) for calls in done])])
    assert works(found) == {0, 1, 2}
    assert not any(culprit.every for culprit in found.culprits)


def test_names_that_keep_differently_are_named():
    done = [{work: RANDOM.randint(5, 30) for work in range(5)} for _ in range(80)]
    found = attribute([steps(done, [sum((1.0 + work) * n for work, n in calls.items()) for calls in done])])
    assert works(found) == set(range(5))
