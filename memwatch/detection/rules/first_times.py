"""Did it grow only while something happened for the first time: a module was imported, a job was called?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from memwatch.detection.case import Case, Decision, Rule

MODULES = "_frozen_importlib.ModuleSpec"
"""There is one for each module that was imported."""
OF_MODULES = frozenset({MODULES, "_frozen_importlib_external.SourceFileLoader", "module"})
"""Types that grow with each module: modules that leak are reported as one of these."""

DURING_SHARE = 0.9
"""Share of the growth that must come while it happens."""
MOST_STEPS = 0.5
"""Where it happens in more of the steps, growth in them says nothing, or it may be what leaks."""
CALLS_A_NAME = 5.0
"""With fewer calls for each name that is new, most calls are first ones: somebody visits one page after the other."""


def _only_then(case: Case, happened: Mapping[float, float | None], name: str) -> bool:
    """Whether nearly all of the growth came in the steps in which ``happened`` rose; keeps the shares as ``name``.

    Over days what is made again and again must show, so only the watch of the hour is settled.
    """
    if case.window not in ("hour", "given", "calls") or case.growth <= 0:
        return False
    during = steps = 0.0
    before = False
    for (start, first), (end, last) in pairwise(zip(case.times, case.values, strict=True)):
        known, now = happened.get(start), happened.get(end)
        if known is None or now is None:
            return False
        if now > known or before:  # a census may come while it happens
            during += last - first
            steps += 1
        before = now > known
    share, steps = during / case.growth, steps / (len(case.times) - 1)
    case.statistics |= {f"share_with_{name}": share, f"steps_with_{name}": steps}
    return share >= DURING_SHARE and steps > 0


def _explain(case: Case, name: str, while_: str) -> str | None:
    share = case.statistics.get(f"share_with_{name}")
    if share is None:
        return None
    steps = case.statistics[f"steps_with_{name}"]
    return (
        f"{share * 100:.0f} % of the growth came while {while_} (less than {DURING_SHARE * 100:.0f} %), "
        f"in {steps * 100:.0f} % of the steps"
    )


def _imports(case: Case) -> Decision | None:
    """Settle what grows only with imports: each module comes once, however late."""
    modules = dict(zip(case.history.times, case.history.counts.get(MODULES, ()), strict=False))
    if case.series.name in OF_MODULES or not _only_then(case, modules, "imports"):
        return None
    if case.statistics["steps_with_imports"] > MOST_STEPS:
        return None
    return Decision("expected", "late imports: it grew only while modules were imported")


def _first_calls(case: Case) -> Decision | None:
    """Settle what grows only with first calls: templates, compiled queries and counters that each name keeps once.

    The watch waits while nearly all calls are first ones.
    """
    names = dict(zip(case.history.times, case.history.figure("job_names"), strict=True))
    if not _only_then(case, names, "first_calls"):
        return None
    if case.statistics["steps_with_first_calls"] > MOST_STEPS:
        calls = dict(zip(case.history.times, case.history.work() or (), strict=False))
        start, end = case.times[0], case.times[-1]
        new = (names[end] or 0) - (names[start] or 0)
        few = case.watching and end in calls and calls[end] - calls[start] <= CALLS_A_NAME * new
        return Decision("not enough data", "nearly all calls are the first ones of their view or task") if few else None
    return Decision(
        "expected", "first calls: it grew only while views, tasks or commands were called for the first time"
    )


IMPORTS = Rule(
    name="imports",
    question="Does it also grow while no module is imported?",
    decide=_imports,
    explain=lambda case: _explain(case, "imports", "modules were imported"),
    not_applicable="the number of imported modules is not known, or too old to be counted with the hour",
)
FIRST_CALLS = Rule(
    name="first_calls",
    question="Does it also grow while no view, task or command is called for the first time?",
    decide=_first_calls,
    explain=lambda case: _explain(case, "first_calls", "views, tasks or commands were called for the first time"),
    not_applicable="the views, tasks and commands are not counted, or too old to be counted with the hour",
)
