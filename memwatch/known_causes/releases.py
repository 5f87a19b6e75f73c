"""Releases that are known to leak, as ``known_leaks.toml`` lists them, against what a process has installed.

Functions of what they are given. Each entry was checked against its public reference.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from memwatch.records.distributions import Distribution

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

PYTHON = "python"
"""The package of leaks in CPython itself."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """How the leak was shown: ``benchmarks/known_leaks`` runs its program with both releases."""

    affected: str
    fixed: str
    python: str
    """The minor version of CPython it ran on, e.g. ``3.12``."""
    requires: tuple[str, ...] = ()
    """Further requirements of the program."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class KnownLeak:
    """One leak of one package."""

    id: str
    package: str
    """Normalized as PEP 503 says; :data:`PYTHON` for CPython."""
    ranges: tuple[tuple[SpecifierSet, str], ...]
    """The releases that leak, and the release that fixed it: one pair for each series that was fixed."""
    what: str
    """What is left behind, for a sentence: ``tracebacks of tasks that fail``."""
    symptom: str
    """When memory grows: a sentence."""
    types: tuple[str, ...] = ()
    """Names of the types that grow, with ``*`` for any letters."""
    kinds: tuple[str, ...] = ()
    """Kinds of leak that it shows as: of ``objects``, ``untracked``, ``native``."""
    reference: str
    """URL."""
    python: SpecifierSet | None = None
    """The versions of CPython that it takes; ``None`` for any."""
    reproduced: Reproduction | None = None


class Match(NamedTuple):
    """A known leak that a process may have."""

    leak: KnownLeak
    version: str
    """What is installed."""
    fixed_in: str
    imported: bool
    """Whether the process has imported the package."""
    fits: bool = False
    """Whether the leak that is looked at grows as this one does."""

    @property
    def sentence(self) -> str:
        """E.g. ``celery 5.3.6 has a known leak of tracebacks, fixed in 5.6.0.``"""
        name = "CPython" if self.leak.package == PYTHON else self.leak.package
        return f"{name} {self.version} has a known leak of {self.leak.what}, fixed in {self.fixed_in}."


@functools.cache
def known_leaks() -> tuple[KnownLeak, ...]:
    """All entries, in the order of the file."""
    import tomllib  # noqa: PLC0415 - a site's processes import this module with memwatch's checks, and need no more

    text = Path(__file__).with_name("known_leaks.toml").read_text(encoding="utf-8")
    return tuple([_entry(each) for each in tomllib.loads(text)["leak"]])


def _entry(value: Mapping[str, Any]) -> KnownLeak:
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - see above

    given = dict(value)
    versions, fixed_in = _texts(given.pop("versions")), _texts(given.pop("fixed_in"))
    python, reproduced = given.pop("python", None), given.pop("reproduced", None)
    return KnownLeak(
        ranges=tuple([(SpecifierSet(each), fixed) for each, fixed in zip(versions, fixed_in, strict=True)]),
        types=_texts(given.pop("types", ())),
        kinds=_texts(given.pop("kinds", ())),
        python=None if python is None else SpecifierSet(python),
        reproduced=None if reproduced is None else _reproduction(reproduced),
        **given,
    )


def _reproduction(value: Mapping[str, Any]) -> Reproduction:
    return Reproduction(**{**value, "requires": _texts(value.get("requires", ()))})


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def matching(
    distributions: Iterable[Distribution], python: str = "", *, leaks: Iterable[KnownLeak] | None = None
) -> list[Match]:
    """The known leaks of these releases and of this CPython, by package; imported ones first.

    ``python``: a version, e.g. ``3.12.1``; empty if it is not known. What is no version of PEP 440 matches nothing.
    """
    installed = {each.name: each for each in distributions}
    if python:
        installed[PYTHON] = Distribution(PYTHON, python, imported=True)
    found = [
        Match(leak, own.version, fixed_in, own.imported)
        for leak in (known_leaks() if leaks is None else leaks)
        if (own := installed.get(leak.package)) is not None
        and _takes(leak.python, python)
        and (fixed_in := _fixed_in(leak, own.version))
    ]
    return sorted(found, key=lambda match: (not match.imported, match.leak.package))


def fitting(matches: Iterable[Match], kind: str, object_type: str) -> list[Match]:
    """Those that may explain a leak of this kind and type: the ones that grow as it does come first, and say so.

    Packages that the process has not imported are left out. ``kind``: ``objects``, ``untracked`` or ``native``.
    """
    ranked = [(_fits(match.leak, kind, object_type), match) for match in matches if match.imported]
    ranked.sort(key=lambda pair: -pair[0])
    return [match._replace(fits=rank > 0) for rank, match in ranked]


def _fits(leak: KnownLeak, kind: str, object_type: str) -> int:
    if kind == "objects":
        return 2 * any(fnmatchcase(object_type, pattern) for pattern in leak.types)
    return int(kind in leak.kinds)


def _fixed_in(leak: KnownLeak, version: str) -> str:
    return next((fixed for versions, fixed in leak.ranges if _takes(versions, version)), "")


def _takes(versions: SpecifierSet | None, version: str) -> bool:
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - see above

    if versions is None:
        return True
    try:
        return versions.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False
