"""Did it grow only while modules were imported?"""

from __future__ import annotations

from itertools import pairwise

from memwatch.detection.case import Case, Decision, Rule

MODULES = "_frozen_importlib.ModuleSpec"
"""There is one for each module that was imported."""
OF_MODULES = frozenset({MODULES, "_frozen_importlib_external.SourceFileLoader", "module"})
"""Types that grow with each module: modules that leak are reported as one of these."""

DURING_SHARE = 0.9
"""Share of the growth that must come while modules are imported."""
MOST_STEPS = 0.5
"""Where modules are imported in more of the steps, they may be what leaks."""


def _imports(case: Case) -> Decision | None:
    """Settle what grows only with imports: each module comes once, however late.

    Over days, modules that a program makes again and again must show, so only the watch of the hour is settled.
    """
    if case.window not in ("hour", "given") or case.series.name in OF_MODULES or case.growth <= 0:
        return None
    modules = dict(zip(case.history.times, case.history.counts.get(MODULES, ()), strict=False))
    during = steps = 0.0
    before = False
    for (start, first), (end, last) in pairwise(zip(case.times, case.values, strict=True)):
        known, now = modules.get(start), modules.get(end)
        if known is None or now is None:
            return None
        if now > known or before:  # a census may come while a module is imported
            during += last - first
            steps += 1
        before = now > known
    share = during / case.growth
    case.statistics |= {"share_with_imports": share, "steps_with_imports": steps / (len(case.times) - 1)}
    if share < DURING_SHARE or not 0 < case.statistics["steps_with_imports"] <= MOST_STEPS:
        return None
    return Decision("expected", "late imports: it grew only while modules were imported")


def _explain(case: Case) -> str | None:
    share = case.statistics.get("share_with_imports")
    if share is None:
        return None
    steps = case.statistics["steps_with_imports"]
    return (
        f"{share * 100:.0f} % of the growth came while modules were imported (less than {DURING_SHARE * 100:.0f} %), "
        f"in {steps * 100:.0f} % of the steps"
    )


IMPORTS = Rule(
    name="imports",
    question="Does it also grow while no module is imported?",
    decide=_imports,
    explain=_explain,
    not_applicable="the number of imported modules is not known, or too old to be counted with the hour",
)
