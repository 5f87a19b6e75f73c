"""Whether the host traces or profiles its code: what it does for each call would run in a copy of the process, too."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from sys import getprofile, gettrace
from typing import Any

_TOOLS, _EVENTS = 6, 20
"""Of ``sys.monitoring``, and more than it has."""
_monitoring: Any = getattr(sys, "monitoring", None)
_tolerated = False
_kept: list[object] = []
"""What a copy has taken off: dropped, it could be the last reference."""
_COVERAGE = "coverage"


def active() -> str | None:
    """Why no copy is made by this thread now, as a part of a sentence; ``None`` where nothing is called."""
    if _tolerated and _only_coverage():
        return None
    if gettrace() is not None or getprofile() is not None:
        return "a debugger, profiler or coverage tool follows this thread, and would run in the copy"
    if _monitoring is not None and any(_monitoring.get_tool(tool) is not None for tool in range(_TOOLS)):
        return "a debugger, profiler or coverage tool uses sys.monitoring, and would run in the copy"
    return None


@contextlib.contextmanager
def coverage_tolerated() -> Iterator[None]:
    """Within it, coverage is no reason against a copy: it counts lines in memory, and is taken off in the copy."""
    global _tolerated  # noqa: PLW0603 - of this process
    before, _tolerated = _tolerated, True
    try:
        yield
    finally:
        _tolerated = before


def _only_coverage() -> bool:
    tracers = (type(each).__module__ for each in (gettrace(), getprofile()) if each is not None)
    tools = (_monitoring.get_tool(tool) for tool in range(_TOOLS)) if _monitoring is not None else ()
    return all(str(each).partition(".")[0] == _COVERAGE for each in (*tracers, *filter(None, tools)))


def stop() -> None:
    """In a copy: take off what was set after :func:`active` was asked."""
    if gettrace() is not None:
        _kept.append(gettrace())
        sys.settrace(None)
    if getprofile() is not None:
        _kept.append(getprofile())
        sys.setprofile(None)
    if _monitoring is None:
        return
    for tool in range(_TOOLS):
        if _monitoring.get_tool(tool) is not None:
            for event in range(_EVENTS):
                with contextlib.suppress(ValueError):
                    _kept.append(_monitoring.register_callback(tool, 1 << event, None))
