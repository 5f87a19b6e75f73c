"""How an object refers to others, and what it is called: read here for heap dumps and for the search of holders alike.

A heap dump writes down all of it. Who searches for holders asks only how an object refers to some that are wanted; in a
process that runs, nothing that is yielded may be kept.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, FunctionType, GeneratorType
from typing import Any, NamedTuple

from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.heap.introspection import code_of, instance_dict, module_dict_of
from memwatch.heapdump import words
from memwatch.heapdump.format import Edge, Family, Root
from memwatch.sampling.type_names import clean, type_name

Reference = tuple[Any, Edge, Any]
"""A target, how it is referred to, and its name as the program has it: not always a text."""
ENTRIES = {
    **dict.fromkeys((Family.LIST, Family.TUPLE, Family.DEQUE), Edge.INDEX),
    **dict.fromkeys((Family.SET, Family.FROZENSET), Edge.MEMBER),
}
"""How a container refers to its entries; a dict does by ``KEY`` and ``VALUE``."""
NAMESPACES = {Family.CLASS: Edge.CLASS_ATTRIBUTE, Family.MODULE: Edge.GLOBAL}
"""How what has a namespace refers to the values in it; all others do by ``ATTRIBUTE``."""
closure_of = FunctionType.__dict__["__closure__"].__get__
_DEFERRED = {
    id(of): (vars(of)[f"{short}_frame"].__get__, vars(of)[f"{short}_code"].__get__)
    for of, short in ((GeneratorType, "gi"), (CoroutineType, "cr"), (AsyncGeneratorType, "ag"))
}


class Called(NamedTuple):
    """What the program calls an object, and where its code is."""

    name: str
    file: str = ""
    line: int | None = None


class Start(NamedTuple):
    """A name under which an object itself is reached: one of a module, or a local variable of a thread."""

    name: str
    of: str
    """The module, or the function."""
    file: str = ""
    line: int = 0
    thread: str = ""
    """Empty for a name of a module."""

    @property
    def element(self) -> str:
        """As a chain begins: ``shop.leaks.QUOTES``, ``local variable 'x' of f (file:line)``."""
        local = f"{words.reference(Edge.LOCAL, self.name)} of {self.of} ({self.file}:{self.line})"
        return local if self.thread else f"{self.of}.{self.name}"

    @property
    def root(self) -> str:
        """What it is a name of."""
        return f"thread {self.thread}" if self.thread else words.root(Root.MODULE, self.of)


def named(item: Any, family: Family, *, makes_dict: bool = True) -> Iterator[Reference]:
    """The references that have a name, or a namespace for their target; all others are ``OTHER``.

    Not those to the entries of a container, nor to the variables of a frame, and not what an instance's ``__dict__``
    has. ``makes_dict``: whether that may come into being by our looking.
    """
    if family is Family.MODULE:
        namespace = module_dict_of(item)
        if type(namespace) is dict:
            yield namespace, Edge.DICT, None
    elif family is Family.CLASS:
        yield from ((each, Edge.DICT, None) for each in gc.get_referents(item) if type(each) is dict)
    elif family is Family.FUNCTION:
        closure = closure_of(item)
        if type(closure) is tuple:
            yield from ((cell, Edge.CELL, of) for cell, of in zip(closure, code_of(item).co_freevars, strict=False))
    else:
        yield from ((value, Edge.ATTRIBUTE, slot) for slot, value in introspection.slots(item))
        namespace = instance_dict(item) if makes_dict else None
        if namespace is not None:
            yield namespace, Edge.DICT, None


def linked(found: Iterable[Any], references: Iterable[Reference]) -> list[Reference]:
    """Each of those that an object refers to, as it is named; where one has several names, in their order."""
    names: defaultdict[int, list[tuple[Edge, Any]]] = defaultdict(list)
    for target, how, name in references:
        names[id(target)].append((how, name))
    links: list[Reference] = []
    for each in found:
        left = names.get(id(each))
        how, name = (Edge.OTHER, None) if not left else left.pop(0) if len(left) > 1 else left[0]
        links.append((each, how, name))
    return links


def others(item: Any) -> list[Any]:
    """What an object refers to but for its class."""
    found = gc.get_referents(item)
    of = type(item)
    for place, each in enumerate(found):
        if each is of:
            del found[place]
            break
    return found


def frame_of(item: Any) -> FrameType | None:
    """A frame itself, or that of a suspended function; ``None`` for one that is over, and for anything else."""
    if type(item) is FrameType:
        return item
    frame: FrameType | None = _DEFERRED[id(type(item))][0](item) if id(type(item)) in _DEFERRED else None
    return frame


def code_run(item: Any) -> CodeType | None:
    """The code of a frame, a generator or a coroutine; ``None`` for anything else."""
    if type(item) is FrameType:
        return item.f_code
    code: CodeType | None = _DEFERRED[id(type(item))][1](item) if id(type(item)) in _DEFERRED else None
    return code


def wrapped(cache: Any) -> FunctionType | None:
    """The function of an ``lru_cache``; ``None`` where that is none of Python's."""
    found = introspection.entry(instance_dict(cache) or {}, "__wrapped__")
    return found if type(found) is FunctionType else None


def called(item: Any, family: Family) -> Called | None:
    """Of modules, classes, functions, code, generators, coroutines and ``lru_cache`` wrappers."""
    if family is Family.MODULE:
        namespace = module_dict_of(item) or {}
        name, file = introspection.entry(namespace, "__name__"), introspection.entry(namespace, "__file__")
        return Called(clean(name), clean(file) if type(file) is str else "") if type(name) is str else None
    if family is Family.CLASS:
        return Called(type_name(item))
    function = wrapped(item) if family is Family.LRU_CACHE else item
    if type(function) is FunctionType:
        code = code_of(function)
        return Called(introspection.function_name(function), clean(code.co_filename), code.co_firstlineno)
    code = item if family is Family.CODE else code_run(item)
    if type(code) is not CodeType or family is Family.FRAME:
        return None
    return Called(clean(code.co_qualname), clean(code.co_filename), code.co_firstlineno)
