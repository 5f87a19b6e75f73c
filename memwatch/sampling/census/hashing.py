"""Whether classes may be counted by their hash without running code of the host.

A class is hashed by its address, fast, unless its metaclass says otherwise. ``PlainHashes`` knows how to ask that of
every metaclass, in C, so that the question and the counting fit into one uninterrupted call.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from operator import contains, is_not

_mro_of = type.__dict__["__mro__"].__get__
_dict_of = type.__dict__["__dict__"].__get__


def _metaclasses() -> list[type]:
    """Every living metaclass but ``type`` itself."""
    found: dict[int, type] = {}
    waiting: list[type] = [type]
    while waiting:
        for metaclass in type.__subclasses__(waiting.pop()):
            if id(metaclass) not in found:
                found[id(metaclass)] = metaclass
                waiting.append(metaclass)
    return list(found.values())


class PlainHashes:
    """The metaclasses at one moment. Make it after the classes to be counted have been collected."""

    def __init__(self) -> None:
        self._metaclasses = _metaclasses()
        self._orders = [_mro_of(metaclass) for metaclass in self._metaclasses]
        bases = {id(base): base for order in self._orders for base in order if base is not type and base is not object}
        self._namespaces = [_dict_of(base) for base in bases.values()]

    def doubts(self) -> Iterator[bool]:
        """Lazily and in C: is any metaclass of another making than it was, does any define ``__hash__``?"""
        return chain(
            map(is_not, map(_mro_of, self._metaclasses), self._orders),
            map(contains, self._namespaces, repeat("__hash__")),
        )
