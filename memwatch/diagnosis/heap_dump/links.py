"""What an object refers to, and how: which attribute, key, index, cell or local variable leads to what."""

from __future__ import annotations

import gc
import sys
import weakref
from array import array
from collections import Counter
from collections.abc import Callable
from itertools import filterfalse
from types import FunctionType
from typing import TYPE_CHECKING, Any

from memwatch.diagnosis import sensitive
from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.heap_dump.code_links import Link, OfCode, others
from memwatch.diagnosis.heap_dump.kinds import LENGTHS, Kind, values_bytes
from memwatch.diagnosis.heap_dump.shapes import Shapes
from memwatch.heapdump.format import NONE, Edge, Family, TypeFlag
from memwatch.sampling.type_names import clean, type_name

if TYPE_CHECKING:
    from memwatch.diagnosis.heap_dump.walk import Walk

_LONGEST_KEY = 40
_INSTANCES_KEEP_VALUES = sys.version_info >= (3, 13)
"""From Python 3.13 on an instance keeps its values when its ``__dict__`` is made: that then refers to nothing."""
_PATTERNS = [bytes([Edge.KEY]) * length + bytes([Edge.VALUE]) * length for length in range(65)]


class Links:
    """Adds the edges of objects, and tells :class:`Walk` which objects it has met."""

    def __init__(self, walk: Walk, *, keys: bool) -> None:
        self._walk = walk
        self._rows = walk.rows
        self._keys = keys
        self.code = OfCode(walk.rows)
        self._shapes: dict[int, Shapes] = {}
        self.beside: list[int] = []
        """What the instances of the last group take beside their own size."""
        self.namespaces: dict[int, Edge] = {}
        """Dicts whose keys are names, by their id."""
        self._of_family: dict[Family, Callable[[Any], list[Link]]] = {
            Family.CLASS: self._class,
            Family.MODULE: self._module,
            Family.FUNCTION: self.code.function,
            Family.FRAME: self.code.frame,
            Family.GENERATOR: self.code.deferred,
            Family.CODE: self.code.code,
            Family.WEAK_REFERENCE: self._weak_reference,
            Family.LRU_CACHE: self._lru_cache,
            Family.DICT: self._dict_like,
            **dict.fromkeys((Family.LIST, Family.TUPLE, Family.DEQUE), self._sequence_like),
            **dict.fromkeys((Family.SET, Family.FROZENSET), self._sequence_like),
        }

    def of_group(self, kind: Kind, group: list[Any]) -> list[int]:
        """Add the edges of objects of one type; how many each has."""
        self.beside = []
        each = self._of_family.get(kind.family)
        if each is None and kind.flags & TypeFlag.HEAP:
            shapes = self._shapes.get(id(kind.of))
            if shapes is None:
                shapes = self._shapes[id(kind.of)] = Shapes(kind.of, self._rows.string, self.namespaces)
            return self._instances(shapes, group, kind)
        if each is None:
            return self._plain(group)
        counts: list[int] = []
        for item in group:
            links = each(item)
            counts.append(len(links))
            self._add(links)
        return counts

    def _add(self, links: list[Link]) -> None:
        targets, kinds, names = self._rows.edges.columns
        met = [link[0] for link in links]
        targets.extend(map(id, met))
        kinds.extend([link[1] for link in links])
        names.extend([link[2] for link in links])
        self._rows.edges.full()
        self._walk.discover(list(filterfalse(gc.is_tracked, met)))

    def _instances(self, shapes: Shapes, group: list[Any], kind: Kind) -> list[int]:
        targets, kinds, names = self._rows.edges.columns
        counts: list[int] = []
        met: list[Any] = []
        for item in group:
            found = gc.get_referents(item)
            how = shapes.of(item, found)  # takes the class out
            counts.append(len(found))
            targets.extend(map(id, found))
            kinds.frombytes(how.kinds)
            names.extend(how.names)
            met += filterfalse(gc.is_tracked, found)
            if kind.keeps_values:
                self.beside.append(0 if Edge.DICT in how.kinds else values_bytes(len(found) - shapes.slots))
        found = []
        self._rows.edges.full()
        self._walk.discover(met, once=True)
        return counts

    def _plain(self, group: list[Any]) -> list[int]:
        """Objects of C code: nothing is known of how they refer to others."""
        found = list(map(gc.get_referents, group))
        counts = list(map(len, found))
        if any(counts):
            self._add([(target, Edge.OTHER, NONE) for each in found for target in each])
        return counts

    def _class(self, item: Any) -> list[Link]:
        found = gc.get_referents(item)
        for each in found:
            if type(each) is dict:
                self.namespaces[id(each)] = Edge.CLASS_ATTRIBUTE
        self._rows.name(id(item), type_name(item))
        kept = [each for each in found if each is not item and each is not type(item)]
        return [(each, Edge.DICT if type(each) is dict else Edge.OTHER, NONE) for each in kept]

    def _module(self, item: Any) -> list[Link]:
        """What C code keeps beside the namespace is not asked for: see ``objects_but_modules``."""
        namespace = introspection.module_dict_of(item)
        if type(namespace) is not dict:
            return []
        self.namespaces[id(namespace)] = Edge.GLOBAL
        name, file = introspection.entry(namespace, "__name__"), introspection.entry(namespace, "__file__")
        if type(name) is str:
            self._rows.name(id(item), clean(name), place=clean(file) if type(file) is str else "")
        return [(namespace, Edge.DICT, NONE)]

    def _weak_reference(self, item: Any) -> list[Link]:
        links: list[Link] = [(each, Edge.OTHER, NONE) for each in others(item)]
        target = weakref.ref.__call__(item)
        return links if target is None else [*links, (target, Edge.WEAK, NONE)]

    def _lru_cache(self, item: Any) -> list[Link]:
        found = others(item)
        for each in found:
            if type(each) is FunctionType:
                code = introspection.code_of(each)
                file = clean(code.co_filename)
                self._rows.name(id(item), introspection.function_name(each), place=file, line=code.co_firstlineno)
                break
        namespace = introspection.instance_dict(item)
        if namespace is not None:
            self.namespaces[id(namespace)] = Edge.ATTRIBUTE
        return [(each, Edge.DICT if each is namespace else Edge.OTHER, NONE) for each in found]

    def _dict_like(self, item: Any) -> list[Link]:
        keys, values = list(dict.keys(item)), list(dict.values(item))
        links: list[Link] = [(key, Edge.KEY, NONE) for key in keys]
        links += zip(values, [Edge.VALUE] * len(values), self._key_names(keys), strict=True)
        return links + self._beside(item, [*keys, *values])

    def _sequence_like(self, item: Any) -> list[Link]:
        base = introspection.base_of(type(item))
        entries = list(introspection.entries_of(item, base))
        kind = Edge.MEMBER if base in (set, frozenset) else Edge.INDEX
        return [(each, kind, NONE) for each in entries] + self._beside(item, entries)

    def _beside(self, item: Any, entries: list[Any]) -> list[Link]:
        """What an object of a class derived from a container refers to beside its entries."""
        left = Counter(map(id, entries))
        named = {id(value): name for name, value in introspection.slots(item)}
        rest = others(item)
        namespace = introspection.instance_dict(item)
        if namespace:
            self.namespaces.setdefault(id(namespace), Edge.ATTRIBUTE)
            named.update((id(value), name) for name, value in namespace.items())
        links: list[Link] = []
        for each in rest:
            if each is namespace:
                links.append((each, Edge.DICT, NONE))
            elif left[id(each)] > 0:
                left[id(each)] -= 1
            elif id(each) in named:
                links.append((each, Edge.ATTRIBUTE, self.code.named(named[id(each)])))
            else:
                links.append((each, Edge.OTHER, NONE))
        return links

    def _key_names(self, keys: list[Any]) -> list[int]:
        if not self._keys:
            return [NONE] * len(keys)
        return [self._rows.string(key) if is_short_identifier(key) else NONE for key in keys]

    def of_namespaces(self, group: list[dict[Any, Any]]) -> list[int]:
        """Add the edges of dicts of which the keys are names."""
        counts: list[int] = []
        for item in group:
            kind = self.namespaces[id(item)]
            keys = [key for key in item if type(key) is not str]
            links: list[Link] = [(key, Edge.KEY, NONE) for key in keys]
            links += [(value, kind, self.code.named(key)) for key, value in item.items()]
            counts.append(len(links))
            self._add(links)
            # The names themselves are objects too; they are interned in most cases.
            self._walk.discover([key for key in item if type(key) is str])
        return counts

    def of_dicts(self, group: list[dict[Any, Any]]) -> list[int]:
        """Add the edges of ordinary dicts: their keys, then their values."""
        targets, kinds, names = self._rows.edges.columns
        nothing = array("I", [NONE])
        met: list[Any] = []
        lengths = list(map(LENGTHS[Family.DICT], group))
        if _INSTANCES_KEEP_VALUES:
            lengths = [length if gc.get_referents(item) else 0 for item, length in zip(group, lengths, strict=True)]
        for item, length in zip(group, lengths, strict=True):
            if not length:
                continue
            targets.extend(map(id, item))
            targets.extend(map(id, item.values()))
            kinds.frombytes(
                _PATTERNS[length]
                if length < len(_PATTERNS)
                else bytes([Edge.KEY]) * length + bytes([Edge.VALUE]) * length
            )
            if self._keys:
                names.extend([NONE] * length)
                names.extend(self._key_names(list(item)))
            else:
                names.extend(nothing * (2 * length))
            met += filterfalse(gc.is_tracked, item)
            met += filterfalse(gc.is_tracked, item.values())
            if len(met) > 50_000:
                self._rows.edges.full()
                self._walk.discover(met, once=True)
                met = []
        self._rows.edges.full()
        self._walk.discover(met, once=True)
        return [2 * length for length in lengths]


def is_short_identifier(key: object) -> bool:
    """Whether the key of a dict may be shown, where keys are asked for."""
    return type(key) is str and len(key) <= _LONGEST_KEY and key.isidentifier() and not sensitive.is_secret(key)
