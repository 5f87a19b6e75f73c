"""The distributions and packages of a process in a report: their check."""

from __future__ import annotations

from memwatch.records.distributions import (
    MAX_DISTRIBUTION_NAME,
    MAX_DISTRIBUTION_VERSION,
    MAX_DISTRIBUTIONS,
    MAX_PACKAGES,
    MOST_MODULES,
    Distribution,
    Package,
)
from memwatch.transport import schema
from memwatch.transport.schema import WireError


def decode(value: object) -> tuple[Distribution, ...] | None:
    """What a report says of them, ``None`` where it says nothing. Raises :class:`WireError`."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_DISTRIBUTIONS:
        raise WireError("malformed", f"distributions: a list of at most {MAX_DISTRIBUTIONS} is wanted")
    return tuple(map(_distribution, value))


def _distribution(value: object) -> Distribution:
    if not isinstance(value, list) or len(value) < len(Distribution._fields):
        raise WireError("malformed", "distributions: lists of name, version and whether it is imported are wanted")
    name, version, imported = value[: len(Distribution._fields)]
    return Distribution(
        schema.text("name", name, limit=MAX_DISTRIBUTION_NAME),
        schema.text("version", version, limit=MAX_DISTRIBUTION_VERSION),
        imported is True,
    )


def decode_packages(value: object) -> tuple[Package, ...] | None:
    """The packages of a report, ``None`` where it says nothing. Raises :class:`WireError`."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_PACKAGES + 1:
        raise WireError("malformed", f"packages: a list of at most {MAX_PACKAGES + 1} is wanted")
    return tuple(map(_package, value))


def _package(value: object) -> Package:
    if not isinstance(value, list) or len(value) < len(Package._fields):
        raise WireError("malformed", "packages: lists of name, modules and distribution are wanted")
    name, modules, distribution = value[: len(Package._fields)]
    return Package(
        schema.text("name", name, limit=MAX_DISTRIBUTION_NAME),
        schema.whole("modules", modules, high=MOST_MODULES),
        schema.text("distribution", distribution, limit=MAX_DISTRIBUTION_NAME),
    )
