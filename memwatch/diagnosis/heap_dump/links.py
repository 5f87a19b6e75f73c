"""What an object refers to, and how: which attribute, key, index, cell or local variable leads to what."""

from __future__ import annotations

import contextlib
import gc
import sys
import weakref
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from inspect import CO_OPTIMIZED
from itertools import filterfalse
from types import CellType, CodeType
from typing import TYPE_CHECKING, Any

from memwatch.diagnosis import sensitive
from memwatch.diagnosis.heap import introspection, references
from memwatch.diagnosis.heap.references import Reference
from memwatch.diagnosis.heap_dump import destructors
from memwatch.diagnosis.heap_dump.kinds import LENGTHS, Kind, values_bytes
from memwatch.diagnosis.heap_dump.shapes import Shapes
from memwatch.heapdump.format import NONE, Edge, Family, TypeFlag
from memwatch.sampling.type_names import clean

if TYPE_CHECKING:
    from memwatch.diagnosis.heap_dump.walk import Walk

Link = tuple[Any, Edge, int]
"""A target, how it is referred to, and the number of its name."""
_NAMED = (
    *(Family.CLASS, Family.MODULE, Family.FUNCTION, Family.CODE, Family.FRAME, Family.GENERATOR),
    *(Family.WEAK_REFERENCE, Family.LRU_CACHE),
)
_CODE_PARTS = tuple(
    vars(CodeType)[name].__get__
    for name in ("co_consts", "co_names", "co_filename", "co_name", "co_qualname", "co_linetable", "co_exceptiontable")
)
_content_of = CellType.__dict__["cell_contents"].__get__
_LONGEST_KEY = 40
_INSTANCES_KEEP_VALUES = sys.version_info >= (3, 13)
"""In Python 3.13 an instance keeps its values when its ``__dict__`` is made, which then refers to nothing; since 3.14
it gives them to the dict."""
_PATTERNS = [bytes([Edge.KEY]) * length + bytes([Edge.VALUE]) * length for length in range(65)]


class Links:
    """Adds the edges of objects, and tells :class:`Walk` which objects it has met."""

    def __init__(self, walk: Walk, *, keys: bool) -> None:
        self._walk = walk
        self._rows = walk.rows
        self._keys = keys
        self._shapes: dict[int, Shapes] = {}
        self.beside: list[int] = []
        """What the instances of the last group take beside their own size."""
        self.namespaces: dict[int, Edge] = {}
        """Dicts whose keys are names, by their id."""
        self._of_family: dict[Family, Callable[[Kind, Any], list[Link]]] = {
            **dict.fromkeys(_NAMED, self._object),
            **dict.fromkeys(references.ENTRIES, self._sequence_like),
            Family.DICT: self._dict_like,
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
            links = each(kind, item)
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

    def _object(self, kind: Kind, item: Any) -> list[Link]:
        """Of an object that is no plain container: all that it refers to, and its own name."""
        if (own := references.called(item, kind.family)) is not None:
            self._rows.name(id(item), own.name, place=own.file, line=NONE if own.line is None else own.line)
        if kind.family in (Family.FRAME, Family.GENERATOR):
            return self._variables(item)
        if kind.family is Family.CODE:
            return [(part(item), Edge.OTHER, NONE) for part in _CODE_PARTS]
        named = list(references.named(item, kind.family))
        self._note(named, kind.family)
        # A module's C code is not asked, see ``objects_but_modules``. The collector does not see cells behind a tuple.
        found = [] if kind.family is Family.MODULE else references.linked(references.others(item), named)
        more = named if kind.family in (Family.MODULE, Family.FUNCTION) else []
        if kind.family is Family.WEAK_REFERENCE and (target := weakref.ref.__call__(item)) is not None:
            more = [(target, Edge.WEAK, None)]
        return self._numbered([*found, *more])

    def _note(self, named: Iterable[Reference], family: Family) -> dict[Any, Any]:
        """Note the dict of the attributes, which it returns."""
        for target, how, _name in named:
            if how is Edge.DICT:
                self.namespaces.setdefault(id(target), references.NAMESPACES.get(family, Edge.ATTRIBUTE))
                return target  # type: ignore[no-any-return]
        return {}

    def _variables(self, item: Any) -> list[Link]:
        """Of a frame or what has one: local variables, by name where they can be asked for."""
        found, frame = references.others(item), references.frame_of(item)
        is_frame = item is frame
        if frame is None or (is_frame and not frame.f_code.co_flags & CO_OPTIMIZED):
            frame = None
        if frame is None or not destructors.may_ask(frame, found):
            return [(each, Edge.STACK if is_frame else Edge.OTHER, NONE) for each in found]
        values = list(frame.f_locals.items())
        return self._numbered(_by_variable(found, values))

    def _numbered(self, links: list[Reference]) -> list[Link]:
        return [(target, how, self.named(name)) for target, how, name in links]

    def named(self, text: object) -> int:
        """The number of a name; ``NONE`` for what is no text."""
        return self._rows.string(clean(text)) if type(text) is str else NONE

    def _dict_like(self, kind: Kind, item: Any) -> list[Link]:
        keys, values = list(dict.keys(item)), list(dict.values(item))
        links: list[Link] = [(key, Edge.KEY, NONE) for key in keys]
        links += zip(values, [Edge.VALUE] * len(values), self._key_names(keys), strict=True)
        return links + self._beside(kind, item, [*keys, *values])

    def _sequence_like(self, kind: Kind, item: Any) -> list[Link]:
        entries = list(introspection.entries_of(item, introspection.base_of(kind.of)))
        how = references.ENTRIES[kind.family]
        return [(each, how, NONE) for each in entries] + self._beside(kind, item, entries)

    def _beside(self, kind: Kind, item: Any, entries: list[Any]) -> list[Link]:
        """What an object of a class derived from a container refers to beside its entries."""
        left = Counter(map(id, entries))
        rest = []
        for each in references.others(item):
            left[id(each)] -= 1
            if left[id(each)] < 0:
                rest.append(each)
        named = list(references.named(item, kind.family))
        named += [(value, Edge.ATTRIBUTE, name) for name, value in self._note(named, kind.family).items()]
        return self._numbered(references.linked(rest, named))

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
            links += [(value, kind, self.named(key)) for key, value in item.items()]
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
            lengths = [
                length if gc.get_referents(item) and not introspection.is_interned_table(item) else 0
                for item, length in zip(group, lengths, strict=True)
            ]
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


def _by_variable(found: list[Any], values: list[tuple[Any, Any]]) -> list[Reference]:
    """Local variables by name; a frame that runs does not say what else it refers to."""
    named = {id(value): (value, name) for name, value in values}
    links: list[Reference] = []
    for each in found:
        _, name = named.pop(id(each), (None, None))
        how = Edge.LOCAL if name is not None else Edge.STACK
        if name is None and type(each) is CellType:
            how = Edge.CELL
            with contextlib.suppress(ValueError):  # an empty cell
                _, name = named.pop(id(_content_of(each)), (None, None))
        links.append((each, how, name))
    return links + [(value, Edge.LOCAL, name) for value, name in named.values()]
