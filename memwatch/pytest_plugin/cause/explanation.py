"""The cause of a leak: what holds it, in copies of the process, and which line makes it, in a run under tracemalloc."""

from __future__ import annotations

import gc
import math
import sys
import time
import weakref
from collections.abc import Generator
from pathlib import Path
from typing import Any

from memwatch.pytest_plugin.calls import Calls, Steps
from memwatch.pytest_plugin.cause import containers, tracing
from memwatch.pytest_plugin.counting import collector_is_on, now, settle
from memwatch.pytest_plugin.findings import Growth, Holder, Leak, Line
from memwatch.pytest_plugin.ledger import MAPPED
from memwatch.records import BigContainer

NEW_OBJECTS, LEAST_CALLS, MOST_CALLS = 24, 16, 20_000
"""Objects that should come between two looks, and the calls that are made for them."""
CLEARER = 4
"""What comes in these calls is so many times as much as what came and went beside the leak in the series."""
NEW_KIB = 256
"""The same for native memory: what comes and goes beside it is often tens of KiB."""
LONGEST_S = 60.0
"""The search for the cause of one leak may take so long, whatever is left of the budget."""
TOO_LATE = "the search for what holds {} took too long: whether it is a cache on its way to its bound is not known ({})"
TOOLS = ("coverage",)
"""They watch the tests and keep more with them: that is no leak of the program."""
REFERENCES, FEW_REFERENCES, MOSTLY = "weakref.ReferenceType", 256, 0.5
"""Registries keep weak references to what is gone, and remove them now and then: sqlite3 after 200, others at once."""
FEW_GONE = "{:,} weak references to what is gone, which registries remove from time to time; more calls would tell"
_MOST_SHARE = 0.2
"""Of that time, the part that the calls between two looks may take."""


class Undecided(Exception):  # noqa: N818 - an answer more than an error
    """The machine is too busy, or the calls too slow, to tell a leak from a cache that fills."""


def explained(growth: Growth, calls: Calls, *, since: float) -> Steps[tuple[Leak | None, str]]:
    """The leak with what could be found; ``None`` and the reason, where the heap shows that it is no leak.

    ``since``: when the growth may have begun. Raises :class:`Undecided`.
    """
    calls.allow(LONGEST_S)
    count = _calls_for(growth, calls)
    if growth.type == REFERENCES and growth.grown < FEW_REFERENCES and not growth.grows_with:
        before = _gone_references()
        made = yield count
        if _gone_references() - before >= MOSTLY * growth.per_call * made:
            return None, FEW_GONE.format(growth.grown)
    holder, notes, why = yield from _holder(growth, count, calls, since)
    if why:
        return None, why
    line = yield from tracing.line_of(growth, count, calls)
    if line is not None and (tool := _tool_of(line)):
        return None, f"{tool} keeps it of its own, to watch the tests"
    return Leak(growth=growth, holder=holder, line=line, notes=notes, collects=collector_is_on()), ""


def _gone_references() -> int:
    """How many weak references refer to nothing any more."""
    settle()
    return sum(type(item) is weakref.ref and item() is None for item in gc.get_objects())


def placed(growth: Growth, calls: Calls) -> Steps[Leak]:
    """The leak with its line alone."""
    calls.allow(LONGEST_S)
    return Leak(growth=growth, line=(yield from tracing.line_of(growth, _calls_for(growth, calls), calls)))


def _tool_of(line: Line) -> str:
    """The tool that made it for itself, such as a tracer for each thread; empty where the program had it made."""
    if line.called_from:
        return ""
    file = Path(line.code.rpartition(":")[0]).absolute()
    for name in TOOLS:
        home = getattr(sys.modules.get(name), "__file__", None)
        if home and file.is_relative_to(Path(home).parent):
            return name
    return ""


def _calls_for(growth: Growth, calls: Calls) -> int:
    """To see enough new objects, as far as time allows."""
    new = NEW_KIB if growth.unit == "KiB" else NEW_OBJECTS
    wanted = math.ceil(new / max(growth.per_call, new / MOST_CALLS))
    clear = min(growth.calls, math.ceil(CLEARER * growth.noise / growth.per_call))
    affordable = int(LONGEST_S * _MOST_SHARE / calls.each_s)
    return max(1, min(max(wanted, clear, LEAST_CALLS), affordable))


def _holder(
    growth: Growth, count: int, calls: Calls, since: float
) -> Steps[tuple[Holder | None, tuple[str, ...], str]]:
    """The holder where it is proven, what is to be said, and why it is no leak."""
    if sys.platform != "linux":
        return None, (), ""
    from memwatch.diagnosis.context import Refused  # noqa: PLC0415 - where something leaks
    from memwatch.diagnosis.copy.parent import NotForked  # noqa: PLC0415
    from memwatch.diagnosis.structure import evidence  # noqa: PLC0415
    from memwatch.diagnosis.structure.expected_time import expected_s  # noqa: PLC0415

    began, container = now(), None
    if growth.memory == MAPPED:
        return None, (), ""
    if growth.kind != "objects":
        lengths = [containers.lengths()]
        for part in containers.parts(count):
            yield part
            lengths.append(containers.lengths())
        container = containers.grown(lengths, growth, count)
        del lengths
        if container is None:
            return None, (), ""
    try:
        found = yield from _looks(growth, container, count, calls)
    except (NotForked, Refused, OSError, ValueError) as reason:  # of the last two: a copy that fails, or says nonsense
        if now() - began > LONGEST_S or calls.left_s <= 0:
            raise Undecided(TOO_LATE.format(growth.type, reason)) from None
        return None, (f"What holds it was not looked for: {reason}.",), ""
    shown = found.to_dict()
    likeliest = shown["candidates"][0] if shown["candidates"] else {}
    grown_s = now() - since
    if evidence.acquits(shown, likeliest) or expected_s(shown, grown_s) > grown_s:
        return None, (), evidence.finding(shown, likeliest)
    garbage = "" if collector_is_on() else evidence.finding(shown, {})
    return _proven(found.holder), tuple(filter(None, [garbage])), ""


def _looks(growth: Growth, container: BigContainer | None, count: int, calls: Calls) -> Steps[Any]:
    """The result of two looks into copies of the process, with the calls between them."""
    from memwatch.diagnosis import options  # noqa: PLC0415 - where something leaks
    from memwatch.diagnosis.context import Host, Refused  # noqa: PLC0415
    from memwatch.diagnosis.copy.tracing import coverage_tolerated  # noqa: PLC0415
    from memwatch.diagnosis.cost_meter import Meter  # noqa: PLC0415
    from memwatch.diagnosis.referrers.recording import ReferrersRecording  # noqa: PLC0415

    handled = asked = 0

    def between() -> Generator[float, None, None]:
        nonlocal asked
        asked = count
        yield 0.0

    host = Host(chosen=container, requests_handled=lambda: handled, collects=collector_is_on, waits=True)
    type_name = options.UNTRACKED if container is not None else growth.type
    steps = ReferrersRecording(options.ReferrersOptions(type=type_name), host, between=between).in_copies(Meter())
    settle()
    try:
        while True:
            with coverage_tolerated():
                wait_s = next(steps)
            if asked:
                made = yield asked
                if made < asked:
                    raise Refused("the time is over")
                handled, asked = handled + made, 0
                settle()
            else:
                time.sleep(wait_s)
    except StopIteration as end:
        return end.value
    finally:
        steps.close()


def _proven(found: Any) -> Holder | None:
    if found is None or not found.sure:
        return None
    from memwatch.diagnosis import own_code  # noqa: PLC0415 - where something leaks

    variable = found.attribute.split("'")[1] if found.attribute.startswith("'") else found.attribute.rpartition(".")[2]
    return Holder(
        name=found.name,
        attribute=found.attribute,
        code=found.code,
        code_line=found.code_line,
        own_code=found.own_code,
        adds=own_code.adds(variable, found.code_line),
    )
