"""What modules lead to in a few steps: objects that no list of tracked objects has.

Those are the ones that ``gc.freeze()`` has set apart (Celery and gunicorn sites call it before they fork), and
containers that are not tracked, such as a dict of texts.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import chain, compress, repeat
from operator import is_, not_
from types import ModuleType
from typing import Any

from memwatch.diagnosis.heap.big_containers import BIG
from memwatch.diagnosis.heap.introspection import module_dict_of
from memwatch.diagnosis.heap.tracked_objects import LISTED, UNTRACK, Held, release
from memwatch.diagnosis.heap.traversal import Stretch, between, entries_of, next_stretch
from memwatch.sampling.atomic import Step, late, uninterrupted
from memwatch.sampling.type_names import clean

STEPS = 3
MOST = 2_000_000
LEAST_FROZEN = 1_000
"""CPython 3.12 sets some hundred tuples of its own apart when it starts; ``gc.freeze()`` sets thousands apart."""

_ATOMS = frozenset(map(id, (str, bytes, int, float, complex, bool, type(None))))
"""They refer to nothing, and no recording asks for them."""


def frozen_by_program() -> int:
    """How many objects the program has set apart with ``gc.freeze()``."""
    count = gc.get_freeze_count()
    return count if count >= LEAST_FROZEN else 0


def _is_plain() -> Iterator[bool]:
    """For each loaded module, whether it holds nothing made by the program."""
    return map(is_, map(type, late(dict.values, sys.modules)), repeat(ModuleType))


def namespaces() -> Iterator[Any]:
    """The loaded plain modules, lazily and in C."""
    return map(module_dict_of, compress(late(dict.values, sys.modules), _is_plain()))


def module_names() -> dict[int, str]:
    """Names of the loaded plain modules by the id of their namespace."""
    ids: list[int] = []
    names: list[Any] = []
    uninterrupted(
        [
            partial(ids.extend, map(id, namespaces())),
            partial(names.extend, compress(late(iter, sys.modules), _is_plain())),
        ]
    )
    return {key: clean(name) for key, name in zip(ids, names, strict=True) if type(name) is str}


class Reached(Held):
    """Empty until :meth:`reach` has been gone through."""

    def reach(self, big: dict[int, int]) -> Iterator[float]:
        """Follow what the modules hold, step by step. Yields seconds to wait.

        Into ``big`` come the lengths of big containers, by id.
        """
        seen: set[int] = set()
        held = self._begin(seen)
        start = 0
        for _step in range(STEPS):
            end = len(held)
            while start < end and len(held) < MOST and LISTED:  # a fork empties it
                began = time.perf_counter()
                with self._meter.pausing():
                    stretch, entries = next_stretch(held, start, end)
                if entries >= BIG:
                    big[id(held[stretch.stop - 1])] = entries
                for part in stretch.parts(entries):
                    with self._meter.pausing():
                        uninterrupted(_following(held, part, seen))
                    yield time.perf_counter() - began
                    began = time.perf_counter()
                start = stretch.stop
        self.remaining = len(held)

    def _begin(self, seen: set[int]) -> list[Any]:
        """A list of what the namespaces hold, each once."""
        held: list[Any] = []
        once: dict[int, Any] = {}
        done: list[None] = []

        def values() -> Iterator[Any]:
            return chain.from_iterable(map(dict.values, namespaces()))

        release()
        with self._meter.pausing():
            uninterrupted(
                [
                    partial(once.update, zip(map(id, values()), values(), strict=False)),
                    partial(once.pop, id(LISTED), None),  # a name of ours that leads to everything
                    partial(held.extend, late(dict.values, once)),
                    once.clear,
                    *(partial(done.extend, map(untrack, (held,))) for untrack in UNTRACK),
                    partial(seen.update, map(id, held)),
                    partial(seen.update, map(id, (held, LISTED))),
                    partial(LISTED.append, held),
                ]
            )
        return held


def _following(queue: list[Any], stretch: Stretch, seen: set[int]) -> list[Step]:
    """Queue what a stretch of the queue refers to and is new."""
    now: list[Any] = []
    found: list[Any] = []
    fresh: dict[int, Any] = {}

    def referents() -> Iterator[Any]:
        if stretch.entries is not None:
            return entries_of(now, stretch.entries)
        modules = map(issubclass, map(type, now), repeat(ModuleType))
        return chain.from_iterable(map(gc.get_referents, compress(now, map(not_, modules))))

    wanted = map(not_, map(_ATOMS.__contains__, map(id, map(type, found))))
    is_new = map(not_, map(seen.__contains__, late(iter, fresh)))
    return [
        partial(now.extend, between(queue, stretch.start, stretch.stop)),
        partial(found.extend, referents()),
        now.clear,
        partial(fresh.update, compress(zip(map(id, found), found, strict=False), wanted)),
        found.clear,
        partial(queue.extend, compress(late(dict.values, fresh), is_new)),
        partial(seen.update, late(iter, fresh)),
        fresh.clear,
    ]
