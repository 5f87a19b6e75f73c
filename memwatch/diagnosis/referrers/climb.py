"""Who refers to some objects, level by level up to names: in a copy of the process, where nothing else runs.

What becomes of a holder that was found is the same for a search within the process.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from memwatch.diagnosis import frames
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.copy.child import Still
from memwatch.diagnosis.heap import frozen_objects, introspection
from memwatch.diagnosis.heap.references import Start, frame_of
from memwatch.diagnosis.referrers.graph import Graph
from memwatch.diagnosis.referrers.nodes import Examiner, Node
from memwatch.sampling.census import OBSERVER
from memwatch.sampling.module_names import module_level_names
from memwatch.sampling.type_names import clean

MOST_WANTED = 500
"""Objects of one level whose holders are looked for; the shared ones first."""
AT_ONCE = 64
"""Objects searched in one pass over the heap: each is compared with every reference."""
MOST_EXAMINED = 5_000
"""Holders looked at in one level."""


class Noted:
    """Puts what was found into a graph. ``most_dicts``: see :class:`Examiner`."""

    def __init__(self, climbed: Graph, most_dicts: int | None) -> None:
        self._graph = climbed
        self._examiner = Examiner(most_dicts=most_dicts)

    def names(self, named: Mapping[int, str]) -> None:
        """Names of modules that lead to objects."""
        for child, name in named.items():
            module, _, own = clean(name).rpartition(".")
            self._graph.start(child, Start(own, module))

    def variables(self, found: Mapping[int, Start]) -> None:
        """Local variables of threads that lead to objects."""
        for child, start in found.items():
            self._graph.start(child, start)

    def lonely(self, wanted: Iterable[int]) -> frozenset[int]:
        """Those of which no holder was found."""
        return frozenset(key for key in wanted if not self._graph.has_holder(key))

    def holder(self, item: Any, wanted: frozenset[int], modules: Mapping[int, str]) -> Node | None:
        """One that refers to some of ``wanted``; its node where it can be climbed from or is a root."""
        module = modules.get(id(item))
        if module is not None:
            for key, child in introspection.keys_of(item, wanted):
                self._graph.start(child, Start(clean(key) if type(key) is str else "?", module))
            return None
        if introspection.is_interned_table(item):
            return None
        node = self._examiner.examine(item, wanted)
        if node.type.startswith(OBSERVER) or not node.links:
            return None
        self._graph.add(node)
        return node


class Climb:
    """Fills a graph. Whatever it holds of the host it holds to the end."""

    def __init__(self, climbed: Graph) -> None:
        self._noted = Noted(climbed, most_dicts=None)
        self.objects: dict[int, Any] = {}
        """Those of the graph's nodes and of what was looked for, by id."""
        self._own: set[int] = {id(self.objects)}
        """Ids of our own containers, which are no holders."""
        self.notes: list[str] = []

    def disown(self, *containers: object) -> None:
        """These are ours: they hold objects of the host and are no holders of them."""
        self._own.update(map(id, containers))

    def up(self, sample: Sequence[Any], depth: int) -> None:
        """Climb from these objects until each has a root, ``depth`` levels at most."""
        self.disown(sample)
        wanted = {id(item): item for item in sample}
        self.objects.update(wanted)
        known = set(wanted)
        for level in range(depth):
            above = self._level(wanted, first=level == 0)
            fresh = [key for key in above if key not in known]
            if len(fresh) > MOST_WANTED:
                fresh.sort(key=above.__getitem__, reverse=True)
                self.notes.append(f"Of level {level + 2} the {MOST_WANTED} objects that refer to most were followed.")
            wanted = {key: self.objects[key] for key in fresh[:MOST_WANTED]}
            known.update(wanted)
            if not wanted:
                return
        self.notes.append(f"The climb was ended after {depth} steps: some ways may lead further up.")

    def _level(self, wanted: dict[int, Any], *, first: bool) -> dict[int, int]:
        """The holders to climb from, each with how many of ``wanted`` it refers to."""
        ids = frozenset(wanted)
        named = module_level_names(ids)
        self._noted.names(named)
        above: dict[int, int] = {}
        asked = wanted if first else {key: item for key, item in wanted.items() if key not in named}
        self.disown(wanted, asked)
        modules = frozen_objects.module_names()
        examined = 0
        for holders in self._referring(list(asked.values())):
            for item in holders:
                if id(item) in self._own or _is_ours(item):
                    continue
                examined += 1
                if examined > MOST_EXAMINED:
                    self.notes.append(f"Of one level the first {MOST_EXAMINED:,} holders were looked at.")
                    return above
                node = self._noted.holder(item, frozenset(asked), modules)
                if node is not None:
                    self.objects[node.id] = item
                    if node.root is None:
                        above[node.id] = len(node.links)
        if lonely := self._noted.lonely(asked):
            self._noted.variables(frames.local_variables(lonely, Host(), Still()))  # type: ignore[arg-type]
        return above

    def _referring(self, asked: list[Any]) -> Iterable[list[Any]]:
        """Each holder once, however many it refers to."""
        self.disown(asked)
        seen: set[int] = set()
        for start in range(0, len(asked), AT_ONCE):
            part = tuple(asked[start : start + AT_ONCE])  # itself the tuple of arguments: a list would make another
            found = gc.get_referrers(*part)
            self.disown(part, found)
            new = [item for item in found if id(item) not in seen]
            self.disown(new)
            seen.update(map(id, new))
            yield new


def _is_ours(item: Any) -> bool:
    """Whether it is a frame, or a suspended function, of this package."""
    frame = frame_of(item)
    return frame is not None and frames.is_own(frame)
