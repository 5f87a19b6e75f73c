"""The distributions that a process can import from: what pip installed, by name and version."""

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
