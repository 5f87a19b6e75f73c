"""What refers to the instances of a type: directly, and all the way up to a name that a programmer knows.

Looked at twice, in two copies of the process, some calls apart: what came in between is what leaks, if anything does,
and the container that grew by it is what holds it. Where no copy can be had, the process itself is gone through in
small parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping
from typing import Any

from memwatch.diagnosis import options, own_code, results
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import memory_headroom
from memwatch.diagnosis.copy.parent import OWN_MB, Harmed, NotForked, impossible, in_child
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.referrers import looks, search
from memwatch.diagnosis.referrers.chosen_container import find_container
from memwatch.diagnosis.referrers.in_process import Waits, search_in_process
from memwatch.diagnosis.referrers.looks import Look, Question
from memwatch.diagnosis.source_lines import Sources
from memwatch.diagnosis.structure import garbage
from memwatch.diagnosis.structure.circumstances import Memory, due, garbage_of, memory_of, sized
from memwatch.records import BigContainer
from memwatch.sampling.atomic import FREE_THREADED
from memwatch.sampling.procmem import ProcessMemory

NEEDS_MB = 32.0
EXAMINED_EACH = 5
"""Instances traced for each whose values may be shown."""
ENOUGH_CALLS = 30
"""Requests or tasks between two looks."""
LONGER = 2.5
EARLY, ENOUGH_NEW = 0.4, 20
"""A look after this part of the time decides where it is sure, and at least so many objects came."""
LIGHT_S = 1.0
"""Of CPU: where the first look took more, there is no early one, which could be in vain."""
_POLL_S = 0.25
_TOO_LARGE = "the heap is too large to count all references in time"
_APART = "this interpreter keeps some references apart, by thread"
_NO_ROOM = "the copy would need more memory than there is to spare"


class ReferrersRecording:
    """In copies of the process, else within it."""

    def __init__(
        self,
        asked: options.ReferrersOptions,
        host: Host,
        *,
        between: Callable[[], Generator[float, None, None]] | None = None,
    ) -> None:
        """``between``: what is done between the two looks, in place of waiting for calls; it yields seconds to wait."""
        self.needs_mb = NEEDS_MB + host.listing_mb
        if asked.type == "native":
            raise Refused("native memory belongs to no Python object: record a flame graph with native_traces instead")
        self._asked = asked
        self._host = host
        self._counts_garbage = True
        self._between = between

    def run(self, meter: Meter) -> Waits:
        """Yields seconds to wait; returns the result. Raises :class:`Refused` for a type without an instance."""
        if self._asked.type != options.UNTRACKED and not FREE_THREADED:  # there no object is known to be young
            self._host.note_jobs(self._asked.type)
        try:
            found = yield from self._found(meter)
            made = tuple(
                results.Made(kind=kind, name=name, count=count, calls=calls)
                for kind, name, count, calls in self._host.made_in()
            )
            return dataclasses.replace(found, made_in=made)
        finally:
            self._host.made_in()

    def _found(self, meter: Meter) -> Waits:
        try:
            return (yield from self.in_copies(meter))
        except Harmed as reason:
            raise reason.refused() from None
        except NotForked as reason:
            found = yield from search_in_process(self._asked, self._host, meter, instead_of=str(reason))
            note = f"Searched within the process, which cannot tell old objects from new ones: {reason}."
            return dataclasses.replace(found, notes=(*found.notes, note))

    def in_copies(self, meter: Meter) -> Waits:
        """The result, found in copies alone. Raises :class:`NotForked` where none can be had, and :class:`Refused`."""
        reason = impossible()
        if reason:
            raise NotForked(reason)
        asked, host = self._asked, self._host
        untracked = asked.type == options.UNTRACKED
        any_container = untracked and not asked.container and host.chosen is None and bool(host.apart_s)
        container = None if any_container else self._container(meter)
        baseline = host.baseline()
        self._counts_garbage = self._has_room_to_count()
        question = Question(
            type=asked.type,
            samples=EXAMINED_EACH * asked.samples,
            depth=looks.DEPTH if asked.depth is None else asked.depth,
            values=asked.samples if asked.values else 0,
            at_baseline=None if baseline is None else baseline.get(asked.type, 0),
            container=container,
            any_container=any_container,
            count_garbage=self._counts_garbage,
        )
        calls: dict[str, int] = {}
        apart_s = 0.0
        if host.apart_s:
            began, began_s = self._handled(), meter.elapsed_s
            first, before = yield from self._look(looks.first_of_two(question), meter)
            question = looks.second_of_two(question, before)
            found, seconds = yield from self._in_time(question, began, meter)
            apart_s = seconds - began_s
            calls = {name: count - first["handled"][name] for name, count in found["handled"].items()}
        else:
            found, _ = yield from self._look(question, meter)
        return self._result(found, container, baseline, calls, apart_s)

    def _look(self, question: Question, meter: Meter) -> Generator[float, None, tuple[dict[str, Any], Look]]:
        # The copy's own counts: the process goes on counting before and after it is copied.
        content = yield from in_child(lambda: search.answer(question, self._handled()), self._host, meter)
        return looks.parse(content)

    def _handled(self) -> dict[str, int]:
        """Calls of each kind so far."""
        return {"request": self._host.requests_handled() or 0, "task": self._host.tasks_handled() or 0}

    def _in_time(
        self, question: Question, began: Mapping[str, int], meter: Meter
    ) -> Generator[float, None, tuple[dict[str, Any], float]]:
        """The second look and when it began: early if that is enough to decide, else after the whole time."""
        since, apart_s = meter.elapsed_s, self._host.apart_s
        if self._between is not None:
            yield from self._between()
        else:
            if meter.child_cpu_s <= LIGHT_S and (yield from self._wait(began, since, EARLY * apart_s, apart_s, meter)):
                seconds = meter.elapsed_s
                found, _ = yield from self._look(dataclasses.replace(question, least_new=ENOUGH_NEW), meter)
                if "too_few" not in found and any(each["sure"] for each in found["candidates"][:1]):
                    return found, seconds
            yield from self._wait(began, since, apart_s, LONGER * apart_s, meter)
        seconds = meter.elapsed_s
        found, _ = yield from self._look(question, meter)
        return found, seconds

    def _wait(
        self, began: Mapping[str, int], since: float, least_s: float, longest_s: float, meter: Meter
    ) -> Generator[float, None, bool]:
        """Until enough calls were handled; whether they were within the longest time."""
        while (waited := meter.elapsed_s - since) < longest_s:
            calls = max(count - began[name] for name, count in self._handled().items())
            if waited >= least_s and calls >= ENOUGH_CALLS:
                return True
            yield min(_POLL_S, max(0.01, longest_s - waited))
        return False

    def _container(self, meter: Meter) -> BigContainer | None:
        if self._asked.type != options.UNTRACKED:
            return None
        return find_container(self._host, self._asked.container, meter)

    def _result(
        self, found: Mapping[str, Any], container: BigContainer | None, baseline: Mapping[str, int] | None,
        calls: Mapping[str, int], apart_s: float,
    ) -> results.Referrers:  # fmt: skip
        sources = Sources()
        memory = memory_of(self._host)
        candidates = tuple(_holder(each, calls, sources, memory, apart_s) for each in found["candidates"])
        notes = list(found["notes"])
        untracked = self._asked.type == options.UNTRACKED
        if container is not None:
            holds = f", of those looked at mostly {container.holds}" if container.holds else ""
            notes.insert(0, f"The {container.type} holds {introspection.counted(container.length)}{holds}.")
        instances = int(found["instances"])
        if untracked:
            instances = container.length if container is not None else candidates[0].length or 0 if candidates else 0
        at_baseline = None if baseline is None or untracked else baseline.get(self._asked.type, 0)
        return results.Referrers(
            type=self._asked.type,
            instances=instances,
            new_since_baseline=None if at_baseline is None else max(0, instances - at_baseline),
            referrers=tuple(results.Referrer(**each) for each in found["referrers"]),
            chains=tuple(results.Chain(**{**each, "path": tuple(each["path"])}) for each in found["chains"]),
            holder=candidates[0] if candidates else None,
            samples=tuple(found.get("samples") or ()),
            notes=tuple(notes),
            candidates=candidates,
            traced=int(found["traced"]),
            came_between=found["new"],
            rooted=found["rooted"],
            expiring=None if found["expiring"] is None else results.Expiring(**found["expiring"]),
            garbage=None if untracked else self._garbage(found),
            retained_kb=found["retained_kb"],
            retained_is_lower_bound=found["retained_is_lower_bound"],
        )

    def _has_room_to_count(self) -> bool:
        """Whether the copy may own as much as the process has, which it comes to where it counts all references."""
        needs_mb = OWN_MB + (ProcessMemory().resident().rss_mb or 0.0)
        return memory_headroom.refusal(needs_mb, heap_limit_mb=self._host.heap_limit_mb) is None

    def _garbage(self, found: Mapping[str, Any]) -> results.Garbage:
        unknown = _NO_ROOM if not self._counts_garbage else _TOO_LARGE if garbage.KNOWN else _APART
        return garbage_of(
            self._host, found["garbage"], int(found["instances"]), frozen=int(found["frozen"]), unknown=unknown
        )


def _holder(
    found: Mapping[str, Any], calls: Mapping[str, int], sources: Sources, memory: Memory, apart_s: float
) -> results.Holder:
    known = {name: value for name, value in found.items() if name not in ("place", "bound", "lifetime", "keeps")}
    known["keeps"] = tuple(results.Kept(**each) for each in found["keeps"])
    grew = found["grew"]
    call = max(calls, key=lambda each: calls[each], default="")
    if grew is not None and call and calls[call] > 0:
        known |= {"grows_per_call": round(grew / calls[call], 2), "call": call}
    if found["place"] is not None:
        file, line, text = own_code.line_of(found["place"], sources)
        place = found["place"]
        known |= {"attribute": place["label"], "code": f"{file}:{line}", "code_line": text, "own_code": place["own"]}
    if found["bound"] is not None:
        known["bound"] = sized(results.Bound(**found["bound"]), found["retained_kb"], memory)
    if found["lifetime"] is not None:
        per_s = None if grew is None or apart_s <= 0 else max(0, grew) / apart_s
        known["lifetime"] = due(results.Lifetime(**found["lifetime"]), found["retained_kb"], per_s, memory)
    return results.Holder(**known)
