"""What is known of a type, read once: its family, and how the size of an instance is asked without the host's code."""

from __future__ import annotations

import functools
import sys
import weakref
from collections import deque
from collections.abc import Callable
from types import (
    AsyncGeneratorType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any

from memwatch.diagnosis.heap.introspection import entry, mro_of, namespace_of
from memwatch.heapdump.format import Family, TypeFlag
from memwatch.sampling.atomic import FREE_THREADED
from memwatch.sampling.type_names import clean, module_and_qualname

LruCache: type = type(functools.lru_cache(lambda: None))
FAMILIES: tuple[tuple[type, Family], ...] = (
    *((str, Family.STR), (bytes, Family.BYTES), (bytearray, Family.BYTEARRAY), (int, Family.INT)),
    *((float, Family.FLOAT), (dict, Family.DICT), (list, Family.LIST), (tuple, Family.TUPLE), (set, Family.SET)),
    *((frozenset, Family.FROZENSET), (deque, Family.DEQUE), (type, Family.CLASS), (ModuleType, Family.MODULE)),
    *((FunctionType, Family.FUNCTION), (MethodType, Family.METHOD), (CellType, Family.CELL)),
    *((FrameType, Family.FRAME), (TracebackType, Family.TRACEBACK), (GeneratorType, Family.GENERATOR)),
    *((CoroutineType, Family.GENERATOR), (AsyncGeneratorType, Family.GENERATOR), (CodeType, Family.CODE)),
    *((weakref.ref, Family.WEAK_REFERENCE), (LruCache, Family.LRU_CACHE)),
)
_FAMILY_OF = {id(of): family for of, family in FAMILIES}


def family_of(of: type) -> Family:
    """The built-in type that it is or derives from."""
    return next((_FAMILY_OF[id(base)] for base in mro_of(of) if id(base) in _FAMILY_OF), Family.OTHER)


LENGTHS: dict[Family, Callable[[Any], int]] = {
    Family.STR: str.__len__,
    Family.BYTES: bytes.__len__,
    Family.BYTEARRAY: bytearray.__len__,
    Family.DICT: dict.__len__,
    Family.LIST: list.__len__,
    Family.TUPLE: tuple.__len__,
    Family.SET: set.__len__,
    Family.FROZENSET: frozenset.__len__,
    Family.DEQUE: deque.__len__,
}
"""Called on the object itself: an overriding ``__len__`` is not."""

_flags_of = type.__dict__["__flags__"].__get__
_HEAP_TYPE, _COLLECTED, _MANAGED_DICT, _MANAGED = 1 << 9, 1 << 14, 1 << 4, 3 << 3
_MEASURED = frozenset(sys.stdlib_module_names) | {"numpy"}
"""Packages whose C code is trusted to say the size of an object of theirs."""
_COLLECTOR_HEADER, _DICT_HEADER = 0 if FREE_THREADED else 16, 16


def values_bytes(attributes: int) -> int:
    """What an instance takes for so many attributes that it keeps without a dict: values, and their order."""
    return 8 * (attributes + 1) + ((attributes + 10) & ~7) if attributes else 0


class Kind:
    """What is known of a type."""

    __slots__ = ("exact", "family", "flags", "header", "keeps_values", "module", "name", "number", "of", "size_of")

    def __init__(self, of: type, number: Callable[[str, str, int, int, int], int]) -> None:
        self.of = of
        order = mro_of(of)
        self.exact = _FAMILY_OF.get(id(of)) is not None
        self.family = family_of(of)
        flags = _flags_of(of)
        module, name = module_and_qualname(of)
        self.module, self.name = clean(module), clean(name)
        self.keeps_values = bool(flags & _MANAGED_DICT)
        """Whether instances keep their attributes without a dict, as long as none is asked for."""
        self.header = (_COLLECTOR_HEADER if flags & _COLLECTED else 0) + (_DICT_HEADER if flags & _MANAGED else 0)
        self.size_of = _size_of(order)
        self.flags = (
            (TypeFlag.HEAP if flags & _HEAP_TYPE else 0)
            | (TypeFlag.COLLECTED if flags & _COLLECTED else 0)
            | (TypeFlag.FINALIZER if any(entry(namespace_of(base), "__del__") is not None for base in order) else 0)
            | (TypeFlag.OWN if module == "memwatch" or module.startswith("memwatch.") else 0)
        )
        self.number = number(self.name, self.module, id(of), self.family, self.flags)


def _size_of(order: tuple[type, ...]) -> Callable[[Any], int]:
    """Asks an object for its size in C; never a ``__sizeof__`` of the host's, nor one of a foreign extension."""
    for base in order:
        found = entry(namespace_of(base), "__sizeof__")
        if type(found) is MethodDescriptorType and any(found.__objclass__ is each for each in order):
            package = module_and_qualname(base)[0].partition(".")[0]
            if (package in _MEASURED and not _flags_of(base) & _HEAP_TYPE) or _is_of_library(base, package):
                return found
    return object.__sizeof__


def _is_of_library(base: type, package: str) -> bool:
    """Whether a class that C code has made is the one of the standard library that its name says."""
    module = entry(sys.modules, module_and_qualname(base)[0])
    if package not in sys.stdlib_module_names or type(module) is not ModuleType:
        return False
    return entry(vars(ModuleType)["__dict__"].__get__(module), module_and_qualname(base)[1]) is base
