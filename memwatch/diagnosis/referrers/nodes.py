"""What an object is to those that it refers to: by which attribute, key, cell or local variable it holds them."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import compress, repeat
from operator import is_, is_not
from types import (
    AsyncGeneratorType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
)
from typing import Any

from memwatch.diagnosis import frames
from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.heap_dump.kinds import LruCache
from memwatch.sampling.atomic import late, uninterrupted
from memwatch.sampling.type_names import clean, type_name

_closure_of = FunctionType.__dict__["__closure__"].__get__
_defaults_of = FunctionType.__dict__["__defaults__"].__get__
_DEFERRED: dict[int, tuple[str, str]] = {
    id(GeneratorType): ("gi_frame", "generator"),
    id(CoroutineType): ("cr_frame", "coroutine"),
    id(AsyncGeneratorType): ("ag_frame", "asynchronous generator"),
}
NAMESPACE = "namespace"
"""The way in which an instance, a class or a module holds the dict of its attributes: the two are shown as one."""
PASSED_ON = "passed on"
"""The way in which a function holds the tuple of its cells: the tuple is not shown."""


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """How a holder refers to one object."""

    child: int
    """The object's id."""
    via: str
    """``attribute 'x'``, ``key``, ``index``, …"""
    key: str | None = None
    """The text that is the key in a dict: the name, where the dict turns out to be a namespace."""


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """One object on the way from a root to the instances."""

    id: int
    type: str
    label: str
    """As it is shown: the type, or what the object is."""
    length: int | None = None
    root: str | None = None
    """What it is, where there is no need to climb further: ``class shop.Cart``, ``function shop.f``."""
    edges: tuple[Edge, ...] = ()


class Examiner:
    """Turns objects of the host into nodes. The caller keeps the objects alive during the call.

    ``most_dicts``: of so many instances a ``__dict__`` may come into being by our looking; ``None``: of all.
    """

    def __init__(self, *, most_dicts: int | None) -> None:
        self._dicts_made, self._most_dicts = 0, most_dicts
        self.cells: dict[int, str] = {}
        """Names of closure variables by the cell's id."""

    def examine(self, item: Any, wanted: frozenset[int]) -> Node:
        """The node of one holder and its edges to those of ``wanted``."""
        kind = type(item)
        name = type_name(kind)
        if kind is ModuleType:  # its C code is not always only looked at, by gc.get_referents
            wanted &= {id(introspection.module_dict_of(item))}
        elif introspection.base_of(kind) is None:
            wanted = frozenset(introspection.referred_to(item, wanted))
        for of, look in _LOOKS:
            if kind is of:
                return look(self, item, name, wanted)
        if introspection.is_class(item):
            title = f"class {type_name(item)}"
            root = title if introspection.found_by_name(item) else None
            bases = frozenset(map(id, introspection.mro_of(item)))
            ways = tuple(Edge(child, "base class" if child in bases else NAMESPACE) for child in wanted)
            return Node(id(item), name, title, None, root, ways)
        return self._instance(item, name, wanted)

    def _instance(self, item: Any, name: str, wanted: frozenset[int]) -> Node:
        base = introspection.base_of(type(item))
        edges: list[Edge] = []
        if base is dict:
            edges += _dict_edges(item, wanted)
        elif base is not None and base is not bytearray:
            way = "entry" if base in (set, frozenset) else "index"
            edges += [Edge(child, way) for child in introspection.ids_in(item, base, wanted)]
        if base is None or type(item) is not base:
            edges += self._attributes(item, wanted)
        known = {edge.child for edge in edges}
        edges += [
            Edge(child, "inside") for child in introspection.referred_to(item, wanted) if base is None or not edges
        ]
        edges = [edge for edge in edges if edge.via != "inside" or edge.child not in known]
        return Node(id(item), name, name, introspection.length(item), None, tuple(edges))

    def _attributes(self, item: Any, wanted: frozenset[int]) -> Iterator[Edge]:
        for slot, value in introspection.slots(item):
            if id(value) in wanted:
                yield Edge(id(value), f"attribute '{_word(slot)}'")
        if self._most_dicts is not None and self._dicts_made >= self._most_dicts:
            return
        self._dicts_made += 1
        namespace = introspection.instance_dict(item)
        if namespace is None:
            return
        if id(namespace) in wanted:
            yield Edge(id(namespace), NAMESPACE)
        for key, child in introspection.keys_of(namespace, wanted):
            yield Edge(child, f"attribute '{_word(key)}'")

    def _function(self, item: FunctionType, name: str, wanted: frozenset[int]) -> Node:
        title = f"function {introspection.function_name(item)}"
        root = None if "<locals>" in title or "<lambda>" in title else title
        closure, edges = _closure_of(item), []
        if closure is not None:
            self.cells.update(zip(map(id, closure), introspection.code_of(item).co_freevars, strict=False))
            edges += [Edge(id(closure), PASSED_ON)] if id(closure) in wanted else []
        defaults = _defaults_of(item)
        if defaults is not None and id(defaults) in wanted:
            edges.append(Edge(id(defaults), "default of an argument"))
        known = {edge.child for edge in edges}
        edges += [Edge(child, "attribute of the function") for child in wanted if child not in known]
        return Node(id(item), name, title, None, root, tuple(edges))

    def _cell(self, item: CellType, name: str, wanted: frozenset[int]) -> Node:
        return Node(id(item), name, "cell", None, None, tuple(Edge(child, "cell") for child in wanted))

    def _method(self, item: MethodType, name: str, wanted: frozenset[int]) -> Node:
        return Node(id(item), name, "bound method", None, None, tuple(Edge(child, "bound method") for child in wanted))

    def _module(self, item: ModuleType, name: str, wanted: frozenset[int]) -> Node:
        title = f"module {_word(introspection.module_dict_of(item).get('__name__'))}"
        return Node(id(item), name, title, None, title, tuple(Edge(child, NAMESPACE) for child in wanted))

    def _lru_cache(self, item: Any, name: str, wanted: frozenset[int]) -> Node:
        namespace = introspection.instance_dict(item) or {}
        of = namespace.get("__wrapped__")
        title = f"lru_cache of {introspection.function_name(of)}" if type(of) is FunctionType else "lru_cache"
        entries = cache_length(item)
        return Node(id(item), name, title, entries, None, tuple(Edge(child, "cache") for child in wanted))

    def _deferred(self, item: Any, name: str, wanted: frozenset[int]) -> Node:
        frame, what = frame_of(item), _DEFERRED[id(type(item))][1]
        code: CodeType | None = None if frame is None else frame.f_code
        title = what if code is None else f"{what} {clean(code.co_qualname)}"
        return Node(id(item), name, title, None, None, self._locals(frame, wanted))

    def _frame(self, item: FrameType, name: str, wanted: frozenset[int]) -> Node:
        title = f"a frame of {clean(item.f_code.co_qualname)} that a traceback keeps"
        return Node(id(item), name, title, None, None, self._locals(item, wanted))

    def _locals(self, frame: FrameType | None, wanted: frozenset[int]) -> tuple[Edge, ...]:
        found = [] if frame is None else frames.variables(frame, wanted)
        named = [Edge(child, f"local variable '{_word(key)}'") for key, child in found]
        return tuple(named) or tuple(Edge(child, "inside") for child in wanted)


_LOOKS: tuple[tuple[type, Callable[[Examiner, Any, str, frozenset[int]], Node]], ...] = (
    (FunctionType, Examiner._function),
    (CellType, Examiner._cell),
    (MethodType, Examiner._method),
    (ModuleType, Examiner._module),
    (LruCache, Examiner._lru_cache),
    (GeneratorType, Examiner._deferred),
    (CoroutineType, Examiner._deferred),
    (AsyncGeneratorType, Examiner._deferred),
    (FrameType, Examiner._frame),
)
"""Exact types that hold things in a way of their own."""


def frame_of(item: Any) -> FrameType | None:
    """That of a suspended function; ``None`` for one that is over, and for anything else."""
    name, _ = _DEFERRED.get(id(type(item)), ("", ""))
    frame: FrameType | None = getattr(item, name) if name else None
    return frame


def cache_length(cache: Any) -> int | None:
    """The entries of an ``lru_cache``, from the dict within it; asked of the cache itself it would run Python code.

    What it has cached comes before that dict, its own attributes come after.
    """
    own = introspection.instance_dict(cache)
    dicts: list[Any] = []
    lengths: list[int] = []

    def referents() -> Iterator[Any]:
        return late(gc.get_referents, cache)

    uninterrupted(
        [
            partial(dicts.extend, compress(referents(), map(is_, map(type, referents()), repeat(dict)))),
            partial(lengths.extend, map(dict.__len__, compress(dicts, map(is_not, dicts, repeat(own))))),
            dicts.clear,
        ]
    )
    return lengths[-1] if lengths else None


def _dict_edges(item: Any, wanted: frozenset[int]) -> Iterator[Edge]:
    for key, child in introspection.keys_of(item, wanted):
        yield Edge(child, "key", key if type(key) is str else None)
    for child in introspection.ids_in(item, dict, wanted):
        yield Edge(child, "as a key")


def _word(name: Any) -> str:
    """A name for a text: what is no text, or hostile, is made harmless."""
    return clean(name)[:100] if type(name) is str else "?"
