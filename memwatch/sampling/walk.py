"""The compiled walk over the heap, where this Python has it: ``_heap_walk.c``; free-threaded, ``_stopped_walk.c``."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from memwatch.sampling.atomic import FREE_THREADED, possible
from memwatch.sampling.container_scan import BIG, Found, Look

HOLD_US = 500
"""How long the interpreter is held at a time. Shorter holds make the walk longer: each waits for the interpreter."""
WITHIN_S = (1.0, 0.3, 0.0)
"""How long a walk may take: when no caller waits, when one does, and in a program that stops it often."""
MOST_REST, LEAST_REST = 4.0, 2.0
"""Rest after a hold, as multiples of the hold; of a walk in no hurry."""
_CONTAINER = struct.Struct("6q")
_METHOD, _MODULE = ("stop-the-world walk", "_stopped_walk") if FREE_THREADED else ("native walk", "_heap_walk")


def _load() -> tuple[Any, str]:
    if os.environ.get("MEMWATCH_HEAP_WALK", "").lower() in ("0", "off", "false", "no"):
        return None, "switched off by MEMWATCH_HEAP_WALK"
    try:
        return importlib.import_module(f"memwatch.sampling.{_MODULE}"), ""
    except ImportError as missing:
        known = getattr(missing, "name", None) is None and str(missing)
        return None, str(missing) if known else "the compiled part is not installed"


_native, _why_not = _load()


def census_method() -> str:
    """Which way objects are counted here: by a compiled walk, or ``fallback`` or ``nothing`` and why."""
    if _native is not None:
        return _METHOD
    return f"fallback: {_why_not}" if possible() else f"nothing: this Python has no global lock, and {_why_not}"


def native() -> bool:
    """Whether the compiled walk is there."""
    return _native is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Walked:
    """What one walk has counted."""

    types: Sequence[type]
    counts: Sequence[int]
    total: int
    seen: Look
    """Big containers, and sizes of built-in types, from the same walk."""
    cpu_ms: float
    approximate: bool
    """Full collections came in between each time: some objects may be counted twice, others missed."""


def walk_heap(
    *,
    last_cpu_ms: float,
    hurry: int = 0,
    around: AbstractContextManager[object] | None = None,
    leaving: Callable[[], bool] = lambda: False,
    ready: Callable[[int], None] = lambda _objects: None,
) -> Walked:
    """Walk now. ``last_cpu_ms``: what the walk before has cost. ``hurry``: an index of :data:`WITHIN_S`.

    ``around`` is entered for the walk alone. ``leaving``: whether the thread is wanted elsewhere; who sets it calls
    :func:`stop_walk` then. ``ready``: called after the walk, with about how many objects will be made of what it gave.

    Raises :class:`InterruptedError` when the walk was stopped, :class:`TimeoutError` when a garbage collection of the
    program does not end.
    """
    stops = _native.stops()  # before the question: a stop between the two is seen by the walk
    if leaving():
        raise InterruptedError
    rest = WITHIN_S[hurry] * 1e3 / max(last_cpu_ms, 1.0) - 1.0
    rest = min(max(rest, 0.0 if hurry else LEAST_REST), MOST_REST)
    with around or contextlib.nullcontext():
        found = _native.walk(BIG, HOLD_US, rest, stops)
    types, counts, sizes, total, packed, pause_ms, _, cpu_ms, _, _, approximate = found
    ready(3 * len(packed) // _CONTAINER.size)
    containers = {found.token: found for found in _containers(types, packed)}  # a module's dict may have two names
    sized_types = [of for of, size in zip(types, sizes, strict=True) if size]
    seen = Look(list(containers.values()), sized_types, list(filter(None, sizes)), pause_ms)
    return Walked(types, counts, total, seen, cpu_ms, bool(approximate))


def _containers(types: Sequence[type], packed: bytes) -> Iterator[Found]:
    kinds: tuple[type, ...] = _native.KINDS
    for token, kind, length, of, size, sized in _CONTAINER.iter_unpack(packed):
        holds = [types[of]] if of >= 0 else [int] if kinds[kind] is bytearray else []
        yield Found(token, kinds[kind], length, holds, [round(size / sized)] if sized else [])


stop_walk: Callable[[], None] = _native.stop if _native is not None else lambda: None
"""End the walks that other threads are in, within some 20 ms; in a forked child, forget the parent's."""
addresses: Callable[[int], tuple[bytes, list[Any]]] | None = getattr(_native, "tracked", None)
"""Of all objects that the collector tracks, and so many of the newest ones themselves; for a copy of the process."""
names: Callable[[bytes], list[tuple[str, str, int]]] | None = getattr(_native, "named", None)
"""Module, name and address of each of these objects that a module names; their addresses sorted, in bytes."""


def _copier() -> Callable[[], int] | None:
    """It counts nothing, so that a walk that is switched off does not matter."""
    try:
        return getattr(importlib.import_module("memwatch.sampling._stopped_walk"), "copy", None)
    except ImportError:
        return None


copy_stopped = _copier()
"""Copies the process while all other threads are stopped, on a free-threaded build: the copy's id, 0 in the copy."""
