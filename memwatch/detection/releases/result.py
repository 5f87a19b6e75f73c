"""What a comparison of two releases says, as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from memwatch.detection.releases.comparison import LESS, MORE, UNCLEAR, UNKNOWN, Change, Peak, Side, missing
from memwatch.detection.releases.figures import BIRTH, COMPARED, GROWTH, LATER
from memwatch.detection.releases.imports import NOTHING, Explanation, PackageChange

AGE, JOBS = "age", "jobs"
WORTH_NAMING = 0.2
"""A package that explains a smaller share is not named in a sentence."""
MOST_NAMED = 2
BEYOND_BIRTH = 0.25
"""A later difference is worth a word if it is so much greater than that at birth."""


@dataclasses.dataclass(frozen=True, slots=True)
class At:
    """Where the later figures of both releases are compared."""

    axis: str
    """:data:`AGE` in seconds, or :data:`JOBS` where one release had much more to do at the same age."""
    value: float

    def __str__(self) -> str:
        if self.axis == JOBS:
            return f"after {self.value:,.0f} jobs"
        minutes = self.value / 60
        if minutes < 60:
            return f"after {minutes:,.0f} minutes"
        return f"after {minutes / 60:,.0f} hour{'' if minutes == 60 else 's'}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A release against one before it."""

    before: Side
    after: Side
    figures: Mapping[str, Change]
    """By name, each of ``figures.COMPARED``."""
    at: At | None = None
    """``None``: the processes of one of them have not lived long enough."""
    types: Sequence[Change] = ()
    packages: Sequence[Change] = ()
    """Objects by the package of their type."""
    imports: Explanation = NOTHING
    peaks: Sequence[Peak] = ()
    at_once: bool = False
    """Both ran in the same hours, so that the peaks of their jobs cannot be separated."""

    @property
    def is_known(self) -> bool:
        return self.figures[BIRTH].verdict != UNKNOWN

    @property
    def missing(self) -> str:
        """What has to be there before more can be said; empty where it is."""
        birth = self.figures[BIRTH]
        return "" if self.is_known else missing(birth.processes_before, birth.processes_after)


def change_text(change: Change, at: At | None = None) -> str:
    """E.g. ``+150 MB a worker at birth``."""
    figure, moved = COMPARED[change.name], change.shift or 0.0
    number = f"{moved:+,.0f}" if abs(moved) >= 10 else f"{moved:+,.1f}"
    where = {
        BIRTH: "MB a worker at birth",
        LATER: f"MB a worker {at}" if at else "MB a worker later",
    }
    return f"{number} {where.get(change.name) or f'{figure.unit} ({figure.label[0].lower()}{figure.label[1:]})'}"


def package_text(package: PackageChange) -> str:
    """E.g. ``120 MB from 977 modules of ddtrace 4.1``."""
    name = f"{package.name} {package.version_after}".strip()
    modules = round(package.modules)
    if modules <= 0:
        named = f"{package.name} {package.version_before} → {package.version_after}"
        return f"{package.mb or 0.0:,.0f} MB from {named if package.version_before else name}"
    more = "more " if package.modules_before else ""
    return f"{package.mb or 0.0:,.0f} MB from {modules:,} {more}module{'' if modules == 1 else 's'} of {name}"


def headline(found: Comparison) -> str:
    """E.g. ``+150 MB a worker at birth, of it about 120 MB from 977 modules of ddtrace 4.1``."""
    if not found.is_known:
        return f"not known yet: {found.missing}"
    said = []
    for name in (BIRTH, LATER, GROWTH):
        change = found.figures[name]
        if change.verdict in (MORE, LESS) and not (name == LATER and _follows_birth(found)):
            said.append(change_text(change, found.at))
        if name == BIRTH and said:
            said += [f"of it about {text}" for text in _named(found)]
    if not said and UNCLEAR in {found.figures[name].verdict for name in (BIRTH, LATER)}:
        return "not clear: the processes differ too much among themselves"
    return ", ".join(said) or "no change of its memory"


def _named(found: Comparison) -> list[str]:
    grown = found.figures[BIRTH].shift or 0.0
    worth = [each for each in found.imports.packages if each.mb is not None and each.mb >= WORTH_NAMING * grown]
    text = " and ".join(map(package_text, worth[:MOST_NAMED])) if grown > 0 else ""
    return [text] if text else []


def _follows_birth(found: Comparison) -> bool:
    """Whether the later difference is that at birth."""
    birth, later = found.figures[BIRTH], found.figures[LATER]
    if birth.verdict != later.verdict or birth.shift is None or later.shift is None:
        return False
    return abs(later.shift - birth.shift) <= BEYOND_BIRTH * abs(birth.shift)
