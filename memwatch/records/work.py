"""What a process did: its jobs, summed up by name.

A *job* is one request, one task or one management command.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from memwatch.records import histogram

VIEW, TASK, COMMAND = KINDS = ("view", "task", "command")

NO_VIEW = "(no view)"
"""The name of a request that reached no view."""
UNNAMED = "(no name)"
"""The name of a job whose name is no text."""
OTHER = "(other)"
"""The name of jobs beyond the first ``MAX_NAMES``."""
EVERY = "(every)"
"""In place of a name: all jobs of a kind, where a leak grows alike with each of them."""
MAX_NAMES = 200
"""Names that one process tells apart."""
MAX_NAME = 300


class WorkFigures(NamedTuple):
    """The jobs of one name that ended between two snapshots. On the wire it is a list: new figures go to the end."""

    kind: str
    """One of :data:`KINDS`."""
    name: str
    calls: int = 0
    errors: int = 0
    """Calls that ended with an exception."""
    shared: int = 0
    """Calls that ran while another job ran in the process: their memory cannot be distinguished."""
    seconds: float = 0.0
    seconds_max: float = 0.0
    seconds_counts: Mapping[str, int] = {}
    """Histogram of microseconds."""
    blocks_calls: int = 0
    """Calls whose allocated blocks were measured; none is shared. So are those of the next two."""
    blocks: int = 0
    """Blocks that those calls kept: allocated less freed. Below 0 where they freed more."""
    blocks_squares: float = 0.0
    """Sum of the squares, for the spread."""
    blocks_max: int = 0
    rss_calls: int = 0
    """Calls whose resident memory was measured before and after."""
    rss_kib: int = 0
    rss_kib_max: int = 0
    peak_calls: int = 0
    """Calls whose peak was measured."""
    peak_kib_max: int = 0
    """The most that resident memory rose during a call above what it was when the call began."""
    peak_counts: Mapping[str, int] = {}
    """Histogram of those rises, in KiB."""
    peak_rss_kib: int = 0
    """The highest resident memory of the process during a call."""
    peak_trace: str = ""
    """``<trace id>-<span id>`` of the call with the highest peak, where the program's traces are linked."""


SUMS = (
    "calls", "errors", "shared", "seconds",
    "blocks_calls", "blocks", "blocks_squares", "rss_calls", "rss_kib", "peak_calls",
)  # fmt: skip
"""Figures of several rows that add up."""
MAXIMA = ("seconds_max", "blocks_max", "rss_kib_max", "peak_kib_max", "peak_rss_kib")
"""Figures of which the largest counts."""
HISTOGRAMS = ("seconds_counts", "peak_counts")


def add(total: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add the figures ``more`` to ``total``; both by name, what is missing in ``total`` begins at nothing."""
    for name in SUMS:
        total[name] = total.get(name, 0) + more[name]
    for name in MAXIMA:
        total[name] = max(total.get(name, more[name]), more[name])
    for name in HISTOGRAMS:
        histogram.add(total.setdefault(name, {}), more[name])
