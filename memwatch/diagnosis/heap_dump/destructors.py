"""No destructor of the program's runs in a copy of it: what it referred to at the fork lives to the end of the copy.

One thing in a copy drops references of the program's. Before Python 3.13 a frame that was once asked for its local
variables keeps the dict that it gave, and renews it when it is asked again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import takewhile
from types import FrameType, FunctionType
from typing import Any

from memwatch.diagnosis.heap.introspection import entry, namespace_of
from memwatch.diagnosis.heap_dump import compiled

kept: list[list[Any]] = []
"""In the copy, until its end."""
_flags_of = type.__dict__["__flags__"].__get__
_HEAP_TYPE, _COLLECTED = 1 << 9, 1 << 14


def may_ask(frame: FrameType, found: list[Any]) -> bool:
    """Whether a frame can be asked for its local variables: what would fall out of its dict is held from now on.

    Not where the names would be compared with keys of a class of the program's, by its ``__eq__``. ``found``: what the
    frame, or the generator that it is of, refers to. Of a frame that runs only the compiled part finds the dict.
    """
    given = compiled.module.snapshot(frame) if compiled.module is not None else _given(found)
    if type(given) is not dict:
        return True
    kept.append(list(given.values()))
    return all(type(key) is str for key in given)


def _given(found: list[Any]) -> Any:
    """It comes before the function."""
    before = takewhile(lambda each: type(each) is not FunctionType, found)
    return next((each for each in before if type(each) is dict), None)


def disarm(note: Callable[[type], object]) -> None:
    """Take ``__del__`` from classes whose instances no list has, where frames cannot be asked what they gave before.

    What the collector tracks is held instead. ``note`` is given each such class first.
    """
    if compiled.module is not None or sys.version_info >= (3, 13):
        return
    for of in list(classes()):
        is_armed = _flags_of(of) & (_HEAP_TYPE | _COLLECTED) == _HEAP_TYPE and "__del__" in map(_text, namespace_of(of))
        if is_armed:
            kept.append([entry(namespace_of(of), "__del__")])
            note(of)
            type.__delattr__(of, "__del__")


def classes() -> Iterator[type]:
    """All classes."""
    found: dict[int, type] = {}
    waiting: list[Any] = [object]
    while waiting:
        of = waiting.pop()
        if id(of) not in found:
            found[id(of)] = of
            waiting += type.__subclasses__(of)
    yield from found.values()


def _text(key: object) -> str:
    return key if type(key) is str else ""
