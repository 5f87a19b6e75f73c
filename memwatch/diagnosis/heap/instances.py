"""The instances of a type: how many there are, and the ids of some, evenly spread over the heap."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Generator
from functools import partial
from itertools import compress

from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap.big_containers import Objects, note_big
from memwatch.diagnosis.heap.walk import SEARCH_PARTS, walk
from memwatch.sampling.atomic import Step
from memwatch.sampling.type_names import type_name

_POOL = 2_000
UNTRACKED_TYPES = ("str", "bytes", "bytearray", "int", "float", "complex", "bool", "NoneType")


@dataclasses.dataclass(frozen=True, slots=True)
class Population:
    """The instances of one type."""

    count: int
    sample: tuple[int, ...]
    """Ids of at most as many instances as were asked for."""
    classes: tuple[type, ...]
    """Those of that name: there may be several, of modules loaded twice or of classes made by a function."""
    big: dict[int, int]
    """Lengths of the big containers by id, which the same walk finds."""


class _Pool:
    """Every n-th item of a sequence of unknown length: never more than twice ``_POOL``."""

    def __init__(self) -> None:
        self.count = 0
        self._stride = 1
        self._kept: list[int] = []

    def extend(self, ids: list[int]) -> None:
        self._kept += ids[-self.count % self._stride :: self._stride]
        self.count += len(ids)
        while len(self._kept) > 2 * _POOL:
            del self._kept[1::2]
            self._stride *= 2

    def evenly(self, most: int) -> tuple[int, ...]:
        kept = list(dict.fromkeys(self._kept))
        return tuple(kept[number * len(kept) // most] for number in range(most)) if len(kept) > most else tuple(kept)


def find(name: str, host: Host, meter: Meter, *, most: int) -> Generator[float, None, Population]:
    """Count the instances of the type called ``name``; yields seconds to wait, returns a :class:`Population`.

    Raises :class:`Refused` where there is none, with the names that come near.
    """
    refuse_untracked(name)
    names: dict[int, str] = {}
    classes: list[type] = []
    """Held while their ids are in use."""
    pool = _Pool()
    types: list[type] = []
    ids: list[int] = []
    big: dict[int, int] = {}

    def gather(objects: Objects, _size: int) -> list[Step]:
        return [
            partial(types.extend, map(type, objects())),
            partial(ids.extend, map(id, objects())),
            *note_big(big, objects),
        ]

    def take() -> None:
        for key, of in dict(zip(map(id, types), types, strict=True)).items():
            if key not in names:
                classes.append(of)
                names[key] = type_name(of)
        wanted = frozenset(key for key, known in names.items() if known == name)
        pool.extend(list(compress(ids, map(wanted.__contains__, map(id, types)))))
        types.clear()
        ids.clear()

    for wait_s in walk(host, meter, gather, parts=SEARCH_PARTS):
        take()
        yield wait_s
    take()
    if not pool.count:
        raise Refused(no_instance(name, set(names.values())))
    return Population(pool.count, pool.evenly(most), tuple(of for of in classes if names[id(of)] == name), big)


def refuse_untracked(name: str) -> None:
    """Raises :class:`Refused` for a type of which the collector tracks no instance."""
    if name in UNTRACKED_TYPES:
        raise Refused(
            f"{name} objects are not tracked by the garbage collector, so what refers to them cannot be found: "
            'ask for type "untracked", which shows the container that has grown most'
        )


def no_instance(name: str, known: set[str]) -> str:
    """A sentence that names the types of ``known`` that come near."""
    ending = sorted(each for each in known if each.rpartition(".")[2] == name.rpartition(".")[2] and each != name)
    near = ending[:3] or difflib.get_close_matches(name, known, 3)
    hint = f"; there are instances of {', '.join(near)}" if near else ""
    return f"there is no instance of {name} in this process now: give the name as module.QualName{hint}"
