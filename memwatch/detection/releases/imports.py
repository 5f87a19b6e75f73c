"""What a release imports: which packages and versions are other than before, and how much of the growth they explain.

How much memory a package takes is not measured in a running process. The estimate shares out what processes have grown
at birth: see :func:`explain`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

LEAST_MODULES, LEAST_SHARE = 3.0, 0.02
"""A package that has fewer modules more or less has not changed: processes import some of them late."""
MOST_MB_A_MODULE = 0.4
"""A module rarely takes more. What is beyond that is not explained by new modules."""
BY_MODULES, BY_VERSION = "modules", "version"
"""What an estimate follows from: new modules, or that it is the only dependency that changed."""

Versions = Mapping[str, tuple[str, ...]]
"""The versions of each distribution that processes of a release have, nearly always one each."""


@dataclasses.dataclass(frozen=True, slots=True)
class Imported:
    """The modules of a package in the processes of one release."""

    modules: float
    """Mean of the processes."""
    distribution: str = ""
    """That the package belongs to; empty for the program's own code and the standard library."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PackageChange:
    """A distribution, or a package without one, that is other than before."""

    name: str
    version_before: str = ""
    """Empty: it was not installed, or it has no version."""
    version_after: str = ""
    modules_before: float | None = None
    """``None``: not known."""
    modules_after: float | None = None
    mb: float | None = None
    """How much it adds to a process at birth: an estimate; ``None`` where there is none."""
    basis: str = ""
    """What that follows from."""

    @property
    def modules(self) -> float:
        """How many more than before."""
        return (self.modules_after or 0.0) - (self.modules_before or 0.0)

    @property
    def has_other_version(self) -> bool:
        return self.version_before != self.version_after

    @property
    def is_imported(self) -> bool:
        """As far as is known."""
        return self.modules_after is None or self.modules_after > 0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Every change, the largest share first, and what none of them explains."""

    packages: Sequence[PackageChange] = ()
    unexplained_mb: float | None = None
    modules_before: float | None = None
    modules_after: float | None = None


NOTHING = Explanation()


def package_changes(
    before: Mapping[str, Imported], after: Mapping[str, Imported], versions_before: Versions, versions_after: Versions
) -> list[PackageChange]:
    """Those whose version or number of modules is another. Packages of one distribution are one."""
    modules = _by_distribution(before), _by_distribution(after)
    known = bool(before and after)
    # Where one side has not reported its distributions, none has come or gone.
    versions = (versions_before, versions_after) if versions_before and versions_after else ({}, {})
    found = []
    for name in sorted({*modules[0], *modules[1], *versions[0], *versions[1]}):
        change = PackageChange(
            name=name,
            version_before=", ".join(versions[0].get(name, ())),
            version_after=", ".join(versions[1].get(name, ())),
            modules_before=modules[0].get(name, 0.0) if known else None,
            modules_after=modules[1].get(name, 0.0) if known else None,
        )
        if change.has_other_version or abs(change.modules) >= max(
            LEAST_MODULES, LEAST_SHARE * (change.modules_before or 0.0)
        ):
            found.append(change)
    return found


def explain(changed: Iterable[PackageChange], grown_mb: float | None) -> list[PackageChange]:
    """Share out what a process has grown at birth, the largest share first.

    New modules take it in proportion to their number, up to :data:`MOST_MB_A_MODULE` each. What is left goes to the
    one dependency whose version is another, if it is only one: its data may have grown. Otherwise it is not explained.
    """
    rows = list(changed)
    mb: dict[str, float] = {}
    basis: dict[str, str] = {}
    if grown_mb is not None and grown_mb > 0:
        added = {row.name: row.modules for row in rows if row.modules > 0}
        total = sum(added.values())
        if total:
            shared = min(grown_mb, total * MOST_MB_A_MODULE)
            mb = {name: shared * modules / total for name, modules in added.items()}
            basis = dict.fromkeys(added, BY_MODULES)
        rest = grown_mb - sum(mb.values())
        others = [row.name for row in rows if row.has_other_version and row.is_imported]
        if rest > 0 and len(others) == 1:
            (name,) = others
            mb[name] = mb.get(name, 0.0) + rest
            basis[name] = BY_VERSION
    explained = [dataclasses.replace(row, mb=mb.get(row.name), basis=basis.get(row.name, "")) for row in rows]
    return sorted(explained, key=lambda row: (-(row.mb or 0.0), -abs(row.modules), row.name))


def explanation(
    before: Mapping[str, Imported],
    after: Mapping[str, Imported],
    versions: tuple[Versions, Versions],
    grown_mb: float | None,
) -> Explanation:
    """All of it."""
    found = explain(package_changes(before, after, *versions), grown_mb)
    explained = sum(each.mb or 0.0 for each in found)
    return Explanation(
        packages=found,
        unexplained_mb=None if grown_mb is None or grown_mb <= 0 else max(0.0, grown_mb - explained),
        modules_before=sum(each.modules for each in before.values()) if before else None,
        modules_after=sum(each.modules for each in after.values()) if after else None,
    )


def _by_distribution(packages: Mapping[str, Imported]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, each in packages.items():
        key = each.distribution or name
        found[key] = found.get(key, 0.0) + each.modules
    return found
