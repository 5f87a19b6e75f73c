"""Releases that are known to leak, from ``memwatch/known_causes/known_leaks.toml``."""

from __future__ import annotations

from docs.make_reference.tables import table
from memwatch.known_causes import releases as known
from memwatch.known_causes.releases import PYTHON, KnownLeak


def known_leaks() -> str:
    rows = [
        (_package(leak), _versions(leak), _fixed_in(leak), f"{leak.symptom} ([source]({leak.reference}))", _shown(leak))
        for leak in sorted(known.known_leaks(), key=lambda leak: (leak.package != PYTHON, leak.package, leak.id))
    ]
    return table(("package", "releases", "fixed in", "when memory grows", "reproduced with"), rows)


def _package(leak: KnownLeak) -> str:
    return "CPython" if leak.package == PYTHON else leak.package


def _versions(leak: KnownLeak) -> str:
    on = f" on Python {leak.python}" if leak.python is not None else ""
    return "; ".join(f"`{','.join(sorted(map(str, versions), reverse=True))}`" for versions, _fixed in leak.ranges) + on


def _fixed_in(leak: KnownLeak) -> str:
    return ", ".join(fixed for _versions, fixed in leak.ranges)


def _shown(leak: KnownLeak) -> str:
    return "" if leak.reproduced is None else f"{leak.reproduced.affected}, {leak.reproduced.fixed}"
