"""What tests note for the end of the run: properties of their reports, which also go from worker to controller."""

from __future__ import annotations

from typing import NamedTuple

CALLS = "memwatch_calls"
LEAK = "memwatch_leak"
KNOWN = "memwatch_known_leak"
NO_LEAK = "memwatch_no_leak"
UNDECIDED = "memwatch_undecided"
SKIPPED = "memwatch_skipped"
KEPT = "memwatch_kept"
PROPERTIES = (CALLS, LEAK, KNOWN, NO_LEAK, UNDECIDED, SKIPPED, KEPT)
"""Names of the properties; a JUnit report shows them."""


class Note(NamedTuple):
    """One property of one test."""

    test: str
    name: str
    value: str
