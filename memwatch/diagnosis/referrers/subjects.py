"""Which objects a look in a copy of the process is about: the instances of a type, or one container."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator
from typing import Any

from memwatch.diagnosis.context import Refused
from memwatch.diagnosis.heap import frozen_objects, instances
from memwatch.records import BigContainer
from memwatch.sampling.atomic import FREE_THREADED
from memwatch.sampling.type_names import type_name

_HEAP_TYPE = 1 << 9
_flags_of = type.__dict__["__flags__"].__get__
_subclasses_of = type.__dict__["__subclasses__"]


def instances_of(name: str) -> Iterator[list[Any]]:
    """Those of each class of that name. Raises :class:`Refused` where there is none."""
    instances.refuse_untracked(name)
    any_found = False
    for of in _classes():
        if type_name(of) == name:
            mine = [item for item in gc.get_referrers(of) if type(item) is of] if _flags_of(of) & _HEAP_TYPE else []
            if found := mine or [item for item in gc.get_objects() if type(item) is of]:
                any_found = True
                yield found
    if not any_found:
        living = {id(type(item)): type(item) for item in gc.get_objects()}
        raise Refused(instances.no_instance(name, set(map(type_name, living.values()))))


def _classes() -> Iterator[type]:
    """Every class of the process once, without asking one of them."""
    seen: set[int] = set()
    waiting: list[type] = [object]
    while waiting:
        of = waiting.pop()
        if id(of) not in seen:
            seen.add(id(of))
            yield of
            waiting += _subclasses_of(of)


def container_of(wanted: BigContainer) -> Any:
    """By its id, among what modules name first: what is not tracked is in no list."""
    for namespace in frozen_objects.namespaces():
        for item in list(namespace.values()):
            if id(item) == wanted.token:
                return item
    for item in gc.get_objects():
        if id(item) == wanted.token:
            return item
    for holder in gc.get_objects():  # a dict of texts, or a bytearray, on an attribute
        for item in gc.get_referents(holder):
            if id(item) == wanted.token:
                return item
    raise Refused(f"the {wanted.type} that had grown most is gone: record once more")


def by_age(found: list[Any], frozen: Collection[int]) -> list[Any]:
    """The oldest first, ``frozen`` ones (by their ids) before all others.

    The collector's lists come the youngest first, each with its oldest first, frozen objects last of all. A
    free-threaded build has no lists: there they stay as they come, by their place in memory.
    """
    if FREE_THREADED:
        return found
    ages = dict.fromkeys(frozen, 0)
    for age, generation in ((3, 0), (2, 1)):
        ages.update(dict.fromkeys(map(id, gc.get_objects(generation)), age))
    return sorted(found, key=lambda item: ages.get(id(item), 1))


def evenly(items: list[Any], most: int) -> list[Any]:
    return [items[number * len(items) // most] for number in range(most)] if len(items) > most else list(items)


def counted(most: int, of: int) -> str:
    return f"{most} of the {of:,} objects" if of > most else f"the {of:,} objects"
