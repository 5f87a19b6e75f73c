"""What a recording of kind ``allocations`` has found."""

from __future__ import annotations

import dataclasses

from memwatch.diagnosis.results import _Result


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Site(_Result):
    """A line that has allocated memory which was still alive at the end."""

    file: str
    line: int
    function: str
    """Qualified name within the file; empty where the source cannot be read."""
    size_kb: float
    count: int
    """Blocks of memory."""
    size_growth_kb_per_min: float
    """In the second half of the recording: what only filled up has stopped growing by then."""
    code: str
    """The line of source; empty where it cannot be read."""
    traceback: tuple[str, ...]
    """``file:line`` of the callers, the nearest first; empty where one frame was traced."""
    of_type: bool
    """Whether instances of the type asked for were allocated here, or in its ``__init__`` or ``__new__``."""
    called_from: str = ""
    """``file:line in function`` of the nearest caller outside of libraries, where a library's line allocates."""
    caller_code: str = ""
    """That line of source."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Allocations(_Result):
    """The result of kind ``allocations``: the sites that have grown most, first."""

    seconds: float
    traced_mb: float
    frames: int
    sites: tuple[Site, ...]
    notes: tuple[str, ...] = ()
