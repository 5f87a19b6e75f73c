"""The distributions that a process can import from, by name and version, and the packages that it has imported."""

from __future__ import annotations

from typing import NamedTuple

MAX_DISTRIBUTIONS = 500
"""That one process reports."""
MAX_DISTRIBUTION_NAME = 100
MAX_DISTRIBUTION_VERSION = 60


class Distribution(NamedTuple):
    """One of them. On the wire it is a list: new figures go to the end."""

    name: str
    """Normalized as PEP 503 says: lower case, ``-`` between words."""
    version: str
    imported: bool = False
    """Whether the process had imported a module of it when it looked."""


MAX_PACKAGES = 300
"""That one process reports: those with most modules, and the others as one."""
MOST_MODULES = 1_000_000
STANDARD_LIBRARY, OTHERS = "(standard library)", "(other packages)"
"""What counts as one package."""


class Package(NamedTuple):
    """Imported modules that belong together. On the wire it is a list: new figures go to the end."""

    name: str
    """The highest package that is theirs alone, such as ``django`` or ``google.cloud.storage``."""
    modules: int
    """In ``sys.modules``."""
    distribution: str = ""
    """The normalized name of the distribution that they belong to; empty for other code."""


class Inventory(NamedTuple):
    """What a process is installed with, and what it has imported."""

    distributions: tuple[Distribution, ...]
    packages: tuple[Package, ...]
