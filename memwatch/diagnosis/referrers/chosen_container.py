"""The big container that a recording of untracked objects is about."""

from __future__ import annotations

from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import walk
from memwatch.records import BigContainer
from memwatch.sampling.container_scan import look
from memwatch.sampling.module_names import module_level_names


def find_container(host: Host, wanted: str, meter: Meter) -> BigContainer:
    """The one of that name or address; else the one that is meant, else the one that has grown most.

    Raises :class:`Refused` where there is none.
    """
    if host.chosen is not None and not wanted:
        return host.chosen
    known = [each for each in host.containers() or () if each.token is not None]
    chosen = _called(wanted, known) or _called(wanted, _look(host, meter))
    if not chosen:
        raise Refused(
            f"there is no big container {wanted} in this process now: leave `container` out for the one "
            "that has grown most"
            if wanted
            else "this process has no list, dict, set, tuple, deque or bytearray with 1,000 entries now"
        )
    return chosen[0]


def _called(wanted: str, known: list[BigContainer]) -> list[BigContainer]:
    return [each for each in known if not wanted or wanted in (each.name, f"{each.type} {each.name}", each.address)]


def _look(host: Host, meter: Meter) -> list[BigContainer]:
    walk.refuse_large(host, meter, "no such container was seen at the last snapshot")
    seen = look(total=walk.total_objects(host, meter))
    meter.paused(seen.pause_ms)
    found = sorted(seen.containers, key=lambda each: each.length, reverse=True)[:200]
    names = module_level_names(each.token for each in found)
    return [
        BigContainer(type=each.kind.__name__, length=each.length, token=each.token, name=names.get(each.token))
        for each in found
        if not names.get(each.token, "").startswith(("memwatch.", "sys."))
    ]
