"""The course of a measurement: warm up, look, judge, make sure, find the cause. It asks for calls and makes none."""

from __future__ import annotations

from memwatch.pytest_plugin import judgement
from memwatch.pytest_plugin import plan as plans
from memwatch.pytest_plugin.calls import Calls, Steps
from memwatch.pytest_plugin.counting import Counter, now, set_aside
from memwatch.pytest_plugin.findings import Growth, Leak, Outcome
from memwatch.pytest_plugin.ledger import Ledger
from memwatch.pytest_plugin.plan import Plan

MOST_EXPLAINED = 3
"""Leaks of one test of which the cause is looked for."""


def measured(plan: Plan, calls: Calls) -> Steps[Outcome]:
    """Whether what is called leaks, and what."""
    yield max(plans.LEAST_WARMUP, plan.warmup)
    counter = Counter()
    began = now()
    total = plan.affordable(calls.each_s, calls.left_s * plans.LOOK_SHARE)
    if total < plans.LEAST_POINTS:
        return Outcome(calls=calls.made, undecided=_too_slow(plan, calls))
    ledger = yield from _first_look(plan, calls, counter, total)
    if not judgement.may_leak(ledger):
        return Outcome(calls=calls.made)
    found = yield from _leaks(plan, calls, counter)
    if found is None:
        return Outcome(calls=calls.made, undecided=_too_slow(plan, calls))
    leaks: list[Leak] = []
    acquitted: list[tuple[str, str]] = []
    undecided: list[str] = []
    for number, growth in enumerate(found):
        from memwatch.pytest_plugin.cause import explanation  # noqa: PLC0415 - where there is something to explain

        if number >= MOST_EXPLAINED:
            is_placed = any(leak.where for leak in leaks)
            leaks.append(Leak(growth=growth) if is_placed else (yield from explanation.placed(growth, calls)))
            continue
        try:
            leak, why = yield from explanation.explained(growth, calls, since=began)
        except explanation.Undecided as reason:
            undecided.append(str(reason))
            continue
        if leak is None:
            acquitted.append((growth.type, why))
        else:
            leaks.append(leak)
    return Outcome(calls=calls.made, leaks=tuple(leaks), acquitted=tuple(acquitted), undecided="; ".join(undecided))


def _too_slow(plan: Plan, calls: Calls) -> str:
    return (
        f"too slow to be judged: {calls.made} calls took {calls.seconds:.1f} s, and the budget is {plan.budget_s:g} s; "
        "give it more budget, or measure a smaller part"
    )


def _first_look(plan: Plan, calls: Calls, counter: Counter, total: int) -> Steps[Ledger]:
    """Rounds of calls with a count after each; shorter ones where calls take longer than the first ones did."""
    until_s = calls.seconds + calls.left_s * plans.LOOK_SHARE
    with set_aside():
        ledger = Ledger(counter.count(), plans.SCREENED)
        for count in plans.screening(total):
            affordable = int((until_s - calls.seconds) / calls.each_s)
            ledger.add(counter.count(), (yield max(1, min(count, affordable))))
    return ledger


def _leaks(plan: Plan, calls: Calls, counter: Counter) -> Steps[list[Growth] | None]:
    """What the last and longest series shows to leak; ``None`` where there was no time for one."""
    total = plan.affordable(calls.each_s, calls.left_s * plans.SERIES_SHARE)
    if total < plans.LEAST_POINTS:
        return None
    number = plans.points(total)
    each = -(-total // number)
    ledger = yield from _series(counter, number, each)
    if ledger.rows <= plans.LEAST_POINTS:
        return None
    found, waits = judgement.leaks(ledger)
    if plan.calls is None and (found or waits):
        longer = plans.longer_each(each, number, calls.each_s, calls.left_s)
        if longer is not None:
            ledger = yield from _series(counter, number, longer)
            if ledger.rows > plans.LEAST_POINTS:
                after, _ = judgement.leaks(ledger)
                found = judgement.still(found, after)
    return found


def _series(counter: Counter, number: int, each: int) -> Steps[Ledger]:
    """So many counts after the first, with the same number of calls between each two; fewer where time runs out."""
    with set_aside():
        ledger = Ledger(counter.count(), number)
        for _ in range(number):
            made = yield each
            if made < each:  # an unequal step would look like a change of the rate
                break
            ledger.add(counter.count(), made)
    ledger.end(counter.count())
    return ledger
