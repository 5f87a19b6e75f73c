"""A program of its own: it makes objects of the standard library's C types and asks each what it refers to.

It prints a line for each type whose answer is more than an answer: objects that it does not hold (those of a free
list are dead, and die a second time), or other reference counts afterwards. With the name of a fake it makes a type
that is at fault.
"""

from __future__ import annotations

import ast
import asyncio
import collections
import contextlib
import contextvars
import csv
import ctypes
import decimal
import functools
import gc
import importlib
import inspect
import io
import itertools
import json
import operator
import os
import pickle
import queue
import re
import socket
import sqlite3
import ssl
import struct
import sys
import threading
import types
import weakref
import xml.etree.ElementTree as ET
import zoneinfo
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

NOT_IMPORTED = re.compile(
    r"_?test|this$|antigravity$|turtle|tkinter|idlelib|lib2to3|_xx|_interp|ensurepip|venv|_pyrepl"
)
OF_A_TYPE = 100
_TRAVERSE = 184
"""Where a type has its ``tp_traverse``, on 64 bits."""
kept: list[Any] = []


class Plain:
    """Something to hold."""


def called(*_: object, **__: object) -> int:
    """Something to call."""
    return 1


def two() -> Iterator[list[int]]:
    """A generator that holds something."""
    held = [1]
    yield held
    yield held


async def numbers() -> AsyncIterator[int]:
    """An asynchronous generator."""
    yield 1


def import_all() -> None:
    """The whole standard library, but what shows or tests something."""
    for name in sys.stdlib_module_names:
        if not NOT_IMPORTED.match(name):
            with contextlib.suppress(Exception):
                importlib.import_module(name)


async def await_things() -> None:
    """Futures, tasks and their iterators, many of them ended: their free lists are filled."""
    loop = asyncio.get_running_loop()
    waiting, looked_at = loop.create_future(), loop.create_future()
    kept.extend((waiting, iter(looked_at), loop.create_task(asyncio.wait_for(waiting, 60)), asyncio.current_task()))
    for _ in range(10):
        await asyncio.gather(*(asyncio.sleep(0.0001) for _ in range(30)))
    for _ in range(100):
        ended = loop.create_future()
        iterator = iter(ended)
        next(iterator)
        ended.set_result(1)
        with contextlib.suppress(StopIteration):
            iterator.send(None)
    kept.extend([number async for number in numbers()])
    kept.extend((asyncio.Queue(), asyncio.Lock(), asyncio.Semaphore(), numbers(), numbers().asend(None)))


def make_iterators() -> None:
    """Each twice: fresh, and begun."""
    one = Plain()
    makers: list[Callable[[], Any]] = [
        two, lambda: itertools.chain([[one], [one]]), itertools.count, lambda: itertools.cycle([one]),
        lambda: itertools.repeat(one), lambda: itertools.accumulate([one, one], called),
        lambda: itertools.groupby([one, one]), lambda: itertools.islice([one, one], 2),
        lambda: itertools.permutations([one, 1]), lambda: itertools.combinations([one, 1, 2], 2),
        lambda: itertools.product([one], [one]), lambda: itertools.starmap(called, [(one,)]),
        lambda: itertools.takewhile(called, [one]), lambda: itertools.zip_longest([one], [1, 2]),
        lambda: itertools.pairwise([one, one]), lambda: itertools.tee([one] * 90)[0], lambda: map(called, [one]),
        lambda: filter(called, [one]), lambda: zip([one], [one], strict=True), lambda: enumerate([one]),
        lambda: reversed([one]), lambda: iter({one: 1}.items()), lambda: iter({one}), lambda: iter(called, 2),
        lambda: iter(collections.deque([one] * 90)), lambda: csv.reader(["a,b"]), lambda: re.finditer("a", "aa"),
        lambda: struct.iter_unpack("i", b"abcd"), lambda: ET.fromstring("<a><b/></a>").iter(), lambda: os.scandir("/"),
    ]  # fmt: skip
    for make in makers:
        begun = make()
        kept.extend((make(), begun, next(begun)))


def make_caches() -> None:
    """What keeps things on purpose, and refers weakly."""
    one = Plain()
    for size in (None, 3):
        cache = functools.lru_cache(maxsize=size)(called)
        for key in range(20):
            cache(key, key=one)
        kept.append(cache)
    kept.extend((functools.partial(called, one), functools.cmp_to_key(called)(one), operator.itemgetter(1, 2)))
    kept.extend(
        (weakref.ref(one, called), weakref.proxy(one), weakref.WeakValueDictionary(a=one), weakref.WeakSet([one]))
    )
    variables = [contextvars.ContextVar(f"v{number}", default=one) for number in range(100)]
    context = contextvars.Context()
    kept.extend((context, [context.run(each.set, Plain()) for each in variables], iter(context), context.items()))
    kept.extend((collections.OrderedDict(a=one), collections.defaultdict(list, a=[one]), collections.deque([one], 2)))
    local, simple = threading.local(), queue.SimpleQueue[Plain]()
    local.one = one
    simple.put(one)
    kept.extend((one, local, simple, types.SimpleNamespace(a=one), types.MappingProxyType({"a": one}), slice(one, one)))
    kept.extend((list[int], list[int] | None, property(called), types.MethodType(called, one), super(Plain, one)))
    kept.extend((inspect.currentframe(), ast.parse("a + b"), pickle.Pickler(io.BytesIO()), json.JSONDecoder()))


def make_connections() -> None:
    """Databases, sockets, parsers, files, numbers with a context, structures of C."""
    database = sqlite3.connect(":memory:")
    database.create_function("f", 1, called)
    database.set_trace_callback(called)
    rows = database.execute("select f(1) union select 2")
    kept.extend((database, rows, rows.fetchone()))
    context = ssl.create_default_context()
    kept.extend(
        (context, context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="x"), *socket.socketpair())
    )
    parser = ET.XMLPullParser(["start", "end"])
    parser.feed("<a><b>text</b>")
    kept.extend((parser, ET.TreeBuilder(), ET.XMLParser(), ET.fromstring("<a><b c='1'>t</b>tail</a>")))
    kept.extend((decimal.getcontext(), decimal.localcontext(), zoneinfo.ZoneInfo("UTC"), struct.Struct("i")))
    file = io.FileIO(os.devnull)
    kept.extend((io.BufferedReader(file), io.TextIOWrapper(io.BytesIO()), io.StringIO(), memoryview(bytearray(9))))

    class Pair(ctypes.Structure):
        _fields_ = (("number", ctypes.c_int), ("thing", ctypes.py_object))

    pair = Pair(1, [Plain()])
    kept.extend((pair, (Pair * 3)(), ctypes.pointer(pair), ctypes.PYFUNCTYPE(ctypes.c_int)(called), ctypes.byref(pair)))
    try:
        raise ValueError(Plain())
    except ValueError as error:
        kept.extend((error, error.__traceback__, ExceptionGroup("two", [error])))


def make_of_every_type() -> None:
    """Of each type without a method in Python, where it can be made of little."""
    found: dict[type, None] = {}

    def below(of: type) -> None:
        for each in type.__subclasses__(of):
            if each not in found:
                found[each] = None
                below(each)

    below(object)
    for kind in found:
        in_python = any(type(each) is types.FunctionType for each in vars(kind).values())
        if in_python or issubclass(kind, (type, io.IOBase)) or kind.__module__ == __name__:
            continue
        for arguments in ((), ([Plain(), 2],), (called, [Plain()]), ("abc",), (b"abc",), ({"a": Plain()},)):
            with contextlib.suppress(BaseException):
                kept.append(kind(*arguments))


def fake(name: str) -> None:
    """An instance of a type whose ``tp_traverse`` is at fault."""
    visitor = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    def traverse(this: Any, visit: int, argument: int) -> int:
        if name == "keeps":
            kept.append(this)
            return 0
        seen = 0
        for _ in range(9):  # one reference is held, by `foreign`
            seen += visitor(visit)(id(foreign[0]), argument)
        return seen

    foreign = [Plain()]
    hook = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p)(traverse)
    at_fault = type("AtFault", (), {})
    slot = ctypes.c_void_p.from_address(id(at_fault) + _TRAVERSE)
    slot.value = ctypes.cast(hook, ctypes.c_void_p).value
    kept.extend((hook, foreign, at_fault()))


def fault(item: Any) -> str:
    """What is wrong when it is asked, twice; empty where nothing is."""
    first = gc.get_referents(item)
    visits = collections.Counter(map(id, first))
    others = [each for each in first if type(each) is not int]
    for each, count in zip(others, list(map(sys.getrefcount, others)), strict=True):
        ours = 2 * visits[id(each)] + 1  # two lists, and the call
        if count - ours < visits[id(each)]:
            kept.append(first)  # one that is dead must not die again
            return f"answers with a {type(each).__qualname__} that it does not hold"
    counts = [*map(sys.getrefcount, others), sys.getrefcount(item), sys.getrefcount(type(item))]
    for _ in range(2):
        gc.get_referents(item)
    if counts != [*map(sys.getrefcount, others), sys.getrefcount(item), sys.getrefcount(type(item))]:
        return "changes reference counts"
    return ""


def main() -> None:
    """Prints the faults, then how many types it has asked."""
    import_all()
    asyncio.run(await_things())
    make_iterators()
    make_caches()
    make_connections()
    make_of_every_type()
    for name in sys.argv[1:]:
        fake(name)
    gc.collect()
    gc.disable()
    asked: collections.Counter[type] = collections.Counter()
    faults: set[str] = set()
    for item in {id(each): each for each in (*gc.get_objects(), *sys.modules.values(), *kept)}.values():
        kind = type(item)
        asked[kind] += 1
        if kind in (int, types.FrameType) or (asked[kind] > OF_A_TYPE and kind is not types.ModuleType):
            continue
        wrong = fault(item)
        if wrong:
            faults.add(f"{getattr(item, '__name__', kind.__qualname__)} {wrong}")
    sys.stdout.write("\n".join([*sorted(faults), f"{len(asked)} types\n"]))
    sys.stdout.flush()
    os._exit(0)  # what is kept alive is not taken down


if __name__ == "__main__":
    main()
