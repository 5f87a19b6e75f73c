"""How an object holds those that are searched for; names come from :mod:`memwatch.diagnosis.heap.references`.

It looks at one object at a time, and of what that refers to only at what is wanted: where the program runs on, nothing
may be held, and a container of a million entries must not be gone through in Python.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator
from functools import partial
from itertools import compress, repeat
from operator import is_, is_not
from types import FunctionType
from typing import Any

from memwatch.diagnosis import frames
from memwatch.diagnosis.heap import introspection, references
from memwatch.diagnosis.heap_dump.kinds import family_of
from memwatch.heapdump import words
from memwatch.heapdump.format import Edge, Family, Root
from memwatch.sampling.atomic import late, uninterrupted
from memwatch.sampling.type_names import clean, type_name

_OTHERS = {
    Family.CLASS: "base class",
    Family.FUNCTION: "attribute of the function",
    Family.LRU_CACHE: "cache",
    Family.CELL: "cell",
    Family.METHOD: "bound method",
}
"""What is held by a reference that has no name."""
_defaults_of = FunctionType.__dict__["__defaults__"].__get__


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """How a holder refers to one object."""

    child: int
    """The object's id."""
    how: Edge
    name: str = ""
    """Of an attribute or variable; of an entry of a dict its key, if that is a text; of ``OTHER`` what it is."""


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
    links: tuple[Link, ...] = ()
    family: Family = Family.OTHER


class Examiner:
    """Turns objects of the host into nodes. The caller keeps the objects alive during the call.

    ``most_dicts``: of so many instances a ``__dict__`` may come into being by our looking; ``None``: of all.
    """

    def __init__(self, *, most_dicts: int | None) -> None:
        self._dicts_made, self._most_dicts = 0, most_dicts

    def examine(self, item: Any, wanted: frozenset[int]) -> Node:
        """The node of one holder and its links to those of ``wanted``."""
        of = type(item)
        family, base = family_of(of), introspection.base_of(of)
        if family is Family.MODULE:  # its C code is not always only looked at, by gc.get_referents
            wanted &= {id(introspection.module_dict_of(item))}
        elif base is None:
            wanted = frozenset(introspection.referred_to(item, wanted))
        links = list(self._links(item, family, base, wanted))
        named = {link.child for link in links}
        if base is None or not links:
            inside = wanted if base is None else introspection.referred_to(item, wanted)
            links += [Link(child, Edge.OTHER, _OTHERS.get(family, "")) for child in inside if child not in named]
        name = type_name(of)
        label = _label(item, family, name)
        length = cache_length(item) if family is Family.LRU_CACHE else introspection.length(item)
        return Node(id(item), name, label, length, _root(item, family, label), tuple(links), family)

    def _links(self, item: Any, family: Family, base: type | None, wanted: frozenset[int]) -> Iterator[Link]:
        if (frame := references.frame_of(item)) is not None:
            yield from (Link(child, Edge.LOCAL, _word(name)) for name, child in frames.variables(frame, wanted))
        elif family is Family.FUNCTION:
            yield from self._function(item, wanted)
        elif family in references.NAMESPACES:
            yield from (Link(id(each), how) for each, how, _ in references.named(item, family) if id(each) in wanted)
        else:
            if base is dict:
                yield from (Link(child, Edge.VALUE, _word(key)) for key, child in introspection.keys_of(item, wanted))
                yield from (Link(child, Edge.KEY) for child in introspection.ids_in(item, dict, wanted))
            elif family in references.ENTRIES:
                how = references.ENTRIES[family]
                yield from (Link(child, how) for child in introspection.ids_in(item, base, wanted))
            if type(item) is not base:
                yield from self._attributes(item, family, wanted)

    def _attributes(self, item: Any, family: Family, wanted: frozenset[int]) -> Iterator[Link]:
        makes_dict = self._most_dicts is None or self._dicts_made < self._most_dicts
        self._dicts_made += makes_dict
        for value, how, name in references.named(item, family, makes_dict=makes_dict):
            if id(value) in wanted:
                yield Link(id(value), how, _word(name))
            if how is Edge.DICT:
                for key, child in introspection.keys_of(value, wanted):
                    yield Link(child, Edge.ATTRIBUTE, _word(key))

    def _function(self, item: FunctionType, wanted: frozenset[int]) -> Iterator[Link]:
        """Its cells are behind a tuple, which is not shown."""
        closure, defaults = references.closure_of(item), _defaults_of(item)
        if closure is not None and id(closure) in wanted:
            yield Link(id(closure), Edge.CELL)
            yield from (Link(id(each), how, _word(name)) for each, how, name in references.named(item, Family.FUNCTION))
        if defaults is not None and id(defaults) in wanted:
            yield Link(id(defaults), Edge.OTHER, "default of an argument")


def _label(item: Any, family: Family, name: str) -> str:
    if family is Family.FRAME:
        return words.root(Root.FRAME, clean(item.f_code.co_qualname))
    own = references.called(item, family)
    return name if own is None else words.titled(name, family, own.name)


def _root(item: Any, family: Family, label: str) -> str | None:
    if family is Family.CLASS:
        is_root = introspection.found_by_name(item)
    elif family is Family.FUNCTION:
        is_root = "<locals>" not in label and "<lambda>" not in label
    else:
        is_root = family is Family.MODULE
    return label if is_root else None


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


def _word(name: Any) -> str:
    """A name for a text, cut; empty for what is no text."""
    return clean(name)[:100] if type(name) is str else ""
