"""How much would be freed without some objects: they, and all that only they keep alive.

As the garbage collector does it, for a part of the heap: of each object that they lead to, the references from within
that part are taken from its reference count. What then has a reference left is held from elsewhere, and so is all that
it leads to; the rest is what only these objects keep alive. Sizes are those of heap dumps.

It is for a copy of the process: it holds what it looks at.
"""

from __future__ import annotations

import dataclasses
import gc
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import BuiltinFunctionType, FunctionType
from typing import Any

from memwatch.diagnosis.heap.introspection import mro_of
from memwatch.diagnosis.heap_dump.kinds import Kind, values_bytes
from memwatch.diagnosis.heap_dump.shapes import Shapes
from memwatch.heapdump.format import Edge, Family, TypeFlag

MOST_OBJECTS, LEAST_OBJECTS = 600_000, 150_000
"""That are looked at, and where memory is short: about 100 bytes of ours go with each, and the page it lies in."""
MOST_S = 12.0
"""Of wall time for all weighing: a copy has 60 seconds for all that it does."""
AT_ONCE = 20_000
_SHARED = frozenset({Family.CLASS, Family.MODULE, Family.CODE, Family.FRAME})
"""What these refer to belongs to the program, from wherever it is reached."""
_OF_FUNCTION = tuple(FunctionType.__dict__[name].__get__ for name in ("__closure__", "__defaults__", "__kwdefaults__"))
"""What a function has of its own. The rest is its module's, and leads to all of the program."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Retained:
    """What some objects keep alive."""

    bytes: int
    """What would be freed without them, they included."""
    complete: bool
    """Whether everything that they lead to was looked at: else there may be more."""
    types: Sequence[tuple[type, int]]
    """The types of all that they lead to, others' objects too, with the number of each; they are included."""


class Weigher:
    """Weighs objects of the host. ``ours``: containers of ours whose references to them do not count."""

    def __init__(
        self, *ours: Iterable[Any], has_room: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock, self._until = clock, clock() + MOST_S
        self._most = MOST_OBJECTS if has_room else LEAST_OBJECTS
        self._ours = Counter(key for each in ours for key in map(id, each))
        self._kinds: dict[int, _Kind] = {}

    def weigh(self, roots: Sequence[Any]) -> Retained:
        """What these objects keep alive."""
        queue = list({id(root): root for root in roots}.values())
        first = len(queue)
        known = set(map(id, queue))
        inner: Counter[int] = Counter()
        done = 0
        while done < min(len(queue), self._most) and self._clock() < self._until:
            part = queue[done : min(done + AT_ONCE, self._most)]
            done += len(part)
            found = [each for item in part for each in self._referents(item)]
            inner.update(map(id, found))
            new = dict(zip(map(id, found), found, strict=True))
            for key in new.keys() - known:
                if not self._kind(new[key]).shared:
                    known.add(key)
                    queue.append(new[key])
            del part, found, new
        alive, known_all = self._held_elsewhere(queue, first, inner)
        kept = [item for item in queue[:done] if id(item) not in alive]
        types = Counter(map(id, map(type, queue)))
        by_id = dict(zip(map(id, map(type, queue)), map(type, queue), strict=True))
        return Retained(
            bytes=sum(map(self._size, kept)),
            complete=known_all and done == len(queue),
            types=[(by_id[key], count) for key, count in types.items()],
        )

    def _held_elsewhere(self, queue: list[Any], first: int, inner: Mapping[int, int]) -> tuple[set[int], bool]:
        """Ids of those that others hold too, and of what these lead to, never of the first ones; of all others where
        there is no time to know. Whether there was."""
        of_the_list = next(map(sys.getrefcount, [[]]))
        counts = list(map(sys.getrefcount, queue))
        within = set(map(id, queue[first:]))
        alive: set[int] = set()
        waiting = []
        for item, count in zip(queue[first:], counts[first:], strict=True):
            if count - of_the_list > inner.get(id(item), 0) + self._ours.get(id(item), 0):
                alive.add(id(item))
                waiting.append(item)
        while waiting:
            if self._clock() > self._until:
                return within, False
            below = []
            for item in waiting:
                for each in self._referents(item):
                    if id(each) in within and id(each) not in alive:
                        alive.add(id(each))
                        below.append(each)
            waiting = below
        return alive, True

    def _kind(self, item: Any) -> _Kind:
        of = type(item)
        found = self._kinds.get(id(of))
        if found is None:
            found = self._kinds[id(of)] = _Kind(of)
        return found

    def _referents(self, item: Any) -> list[Any]:
        kind = self._kind(item)
        if kind.family is Family.FUNCTION:
            return [found for of in _OF_FUNCTION if (found := of(item)) is not None]
        found = gc.get_referents(item)
        if found and kind.family is Family.DICT:  # whose keys are not among them if all are texts
            known = set(map(id, found))
            found += [key for key in dict.keys(item) if id(key) not in known]
            if kind.keeps_order:  # in nodes of its own, which refer to the keys once more
                found += dict.keys(item)
        return found

    def _size(self, item: Any) -> int:
        return self._kind(item).size(item)


class _Kind:
    """What is known of a type."""

    def __init__(self, of: type) -> None:
        self._kind = Kind(of, lambda *_: 0)
        self.family = self._kind.family
        self.shared = self.family in _SHARED or of is BuiltinFunctionType
        self.keeps_order = any(base is OrderedDict for base in mro_of(of))
        keeps_values = self._kind.keeps_values and self._kind.flags & TypeFlag.HEAP
        self._shapes = Shapes(of, lambda _name: 0, {}) if keeps_values else None

    def size(self, item: Any) -> int:
        """Of the object alone, with its collector's header and the values that it keeps without a dict."""
        size = self._kind.header + self._kind.size_of(item)
        if self._shapes is not None:
            found = gc.get_referents(item)
            how = self._shapes.of(item, found)
            size += 0 if Edge.DICT in how.kinds else values_bytes(len(found) - self._shapes.slots)
        return size
