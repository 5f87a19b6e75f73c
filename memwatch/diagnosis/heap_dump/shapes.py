"""By which attributes the instances of a class refer to others, mostly without asking each for its ``__dict__``.

An instance keeps its attributes without a dict until somebody asks for that; to make the dicts of millions of instances
would take much memory. What an instance refers to comes in an order that its class sets. So the names at each place are
learned from the first instances with as many attributes, and are then known for all that have as many.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, NamedTuple

from memwatch.diagnosis.heap.introspection import mro_of, namespace_of
from memwatch.heapdump.format import NONE, Edge
from memwatch.sampling.type_names import clean

LEARNED_FROM = 20
"""Instances that must agree."""


class How(NamedTuple):
    """Kinds and names of what an instance refers to, in order."""

    kinds: bytes
    names: array[int]


class _Shape:
    """What instances with one number of references have in common."""

    def __init__(self, class_at: int, possible: list[set[str]]) -> None:
        self.class_at = class_at
        self.possible = possible
        self.seen = 0
        self.how: How | None = None
        self.dict_at = -1
        """Where a dict would be the instance's ``__dict__`` if there were one."""


class Shapes:
    """Of the instances of a class. ``string`` gives the number of a name."""

    def __init__(self, of: type, string: Callable[[str], int], namespaces: dict[int, Edge]) -> None:
        self._of = of
        self._string = string
        self._namespaces = namespaces
        self._shapes: dict[int, _Shape] = {}
        self._dict_of: Callable[[Any], Any] | None = None
        self._slots: list[tuple[str, Callable[[Any], Any]]] = []
        for base in mro_of(of):
            for name, found in list(namespace_of(base).items()):
                if type(name) is not str:
                    continue
                if type(found) is MemberDescriptorType and not name.startswith("__"):
                    self._slots.append((name, found.__get__))
                elif name == "__dict__" and type(found) is GetSetDescriptorType and self._dict_of is None:
                    self._dict_of = found.__get__
        self.slots = len(self._slots)

    def of(self, item: Any, found: list[Any]) -> How:
        """How ``item`` refers to what was ``found``, from which its class is taken."""
        number = len(found)
        shape = self._shapes.get(number)
        if (
            shape is not None
            and shape.how is not None
            and found[shape.class_at] is self._of
            and (shape.dict_at < 0 or type(found[shape.dict_at]) is not dict)
        ):
            del found[shape.class_at]
            return shape.how
        class_at = next((place for place, each in enumerate(found) if each is self._of), -1)
        if class_at >= 0:
            del found[class_at]
        namespace = self._namespace(item)
        dict_at = next((place for place, each in enumerate(found) if each is namespace and namespace is not None), -1)
        names = self._names(item, namespace if dict_at < 0 else None)
        if dict_at >= 0:
            self._namespaces[id(namespace)] = Edge.ATTRIBUTE
        elif class_at >= 0:
            self._learn(number, class_at, found, names)
        return self._how(found, names, dict_at)

    def _namespace(self, item: Any) -> dict[Any, Any] | None:
        found = None if self._dict_of is None else self._dict_of(item)
        return found if type(found) is dict else None

    def _names(self, item: Any, namespace: dict[Any, Any] | None) -> dict[int, list[str]]:
        names: dict[int, list[str]] = {}
        for name, get in self._slots:
            try:
                names.setdefault(id(get(item)), []).append(name)
            except (AttributeError, TypeError, SystemError):
                continue
        for key, value in (namespace or {}).items():
            if type(key) is str:
                names.setdefault(id(value), []).append(key)
        return names

    def _how(self, found: list[Any], names: dict[int, list[str]], dict_at: int) -> How:
        kinds, numbers = bytearray(), array("I")
        for place, each in enumerate(found):
            left = names.get(id(each))
            if place == dict_at:
                kinds.append(Edge.DICT)
                numbers.append(NONE)
            elif left:
                kinds.append(Edge.ATTRIBUTE)
                numbers.append(self._string(clean(left.pop(0) if len(left) > 1 else left[0])))
            else:
                kinds.append(Edge.OTHER)
                numbers.append(NONE)
        return How(bytes(kinds), numbers)

    def _learn(self, number: int, class_at: int, found: list[Any], names: dict[int, list[str]]) -> None:
        now = [set(names.get(id(each), ())) for each in found]
        shape = self._shapes.get(number)
        if shape is None:
            shape = self._shapes[number] = _Shape(class_at, now)
        elif shape.class_at != class_at or shape.seen < 0:
            shape.seen, shape.how = -1, None
            return
        shape.possible = [old & new for old, new in zip(shape.possible, now, strict=True)]
        if not all(shape.possible):
            shape.seen, shape.how = -1, None  # other attributes, though as many: each is asked
            return
        shape.seen += 1
        if shape.seen >= LEARNED_FROM and (chosen := _distinct(shape.possible)) is not None:
            numbers = array("I", [self._string(clean(name)) for name in chosen])
            shape.how = How(bytes([Edge.ATTRIBUTE]) * len(chosen), numbers)
            slots = {name for name, _ in self._slots}
            place = next((place for place, name in enumerate(chosen) if name not in slots), len(chosen))
            if self._dict_of is not None:
                # With its class taken out; before that, places from the class on are one further.
                shape.dict_at = place if place < class_at else place + 1
                if shape.dict_at >= number:
                    shape.dict_at = -1


def _distinct(possible: list[set[str]]) -> list[str] | None:
    """One name for each place, each once: those that can be only one first."""
    chosen: list[str | None] = [None] * len(possible)
    used: set[str] = set()
    for place in sorted(range(len(possible)), key=lambda place: len(possible[place])):
        left = sorted(possible[place] - used)
        if not left:
            return None
        chosen[place] = left[0]
        used.add(left[0])
    return [name for name in chosen if name is not None]
