"""Heaps with a leak in each, and what is right to say of it.

Every heap has the program's own module ``shop.leaks``, a module ``framework.core`` of a library, and what leaks:
``COUNT`` objects ``shop.leaks.Quote`` of 100 bytes, each with a text of 50 bytes that only it has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from memwatch.heapdump.analysis.graph import Label
from memwatch.heapdump.format import Edge, Family
from memwatch.heapdump.format import Root as RootKind
from tests.heapdump.graphs import Heap

COUNT = 40
EACH = 150
"""Bytes of a leaked object with its text."""
OWN_FILE, LIBRARY_FILE = "/srv/shop/leaks.py", "/srv/venv/lib/python3.13/site-packages/framework/core.py"


class Planted(Heap):
    """With the modules, and ways to add what leaks."""

    def __init__(self) -> None:
        super().__init__()
        self.own = self.module("shop.leaks", OWN_FILE)
        self.library = self.module("framework.core", LIBRARY_FILE)

    def quotes(self, count: int = COUNT) -> list[int]:
        found = []
        for _ in range(count):
            quote = self.add("shop.leaks.Quote")
            self.refer(quote, self.add("str", 50, family=Family.STR), Edge.ATTRIBUTE, "text")
            found.append(quote)
        return found

    def held_in(self, container: int, kind: Edge, count: int = COUNT) -> None:
        for quote in self.quotes(count):
            self.refer(container, quote, kind)

    def named(self, type_name: str, label: str, file: str, family: Family, size: int = 100) -> int:
        node = self.add(type_name, size, family=family)
        self.labels[node] = Label(label, file, 7)
        return node

    def instance(self, type_name: str) -> tuple[int, int]:
        """An instance and its ``__dict__``."""
        found, attributes = self.add(type_name, 48), self.add("dict", 200, family=Family.DICT)
        self.refer(found, attributes, Edge.DICT)
        return found, attributes


@dataclasses.dataclass(frozen=True)
class Truth:
    """Of the leak."""

    holder: str
    own: bool = True
    retained: int = COUNT * EACH
    count: int = COUNT
    dominator: str = "container"
    """The object (by the name it was given) that dominates each leaked one nearest; ``top`` for none."""
    vias: tuple[str, ...] = ()
    """How each object of the path refers to the next, from the root on."""
    groups: int = 1


PLANTED: dict[str, tuple[Callable[[Planted], None], Truth]] = {}


def planted(truth: Truth) -> Callable[[Callable[[Planted], None]], Callable[[Planted], None]]:
    def keep(build: Callable[[Planted], None]) -> Callable[[Planted], None]:
        PLANTED[build.__name__] = (build, truth)
        return build

    return keep


@planted(Truth("shop.leaks.QUOTES", vias=("module shop.leaks", "attribute 'QUOTES'", "item")))
def list_of_a_module(heap: Planted) -> None:
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(heap.own, container, Edge.GLOBAL, "QUOTES")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("shop.leaks.BY_ID", vias=("module shop.leaks", "attribute 'BY_ID'", "value")))
def dict_of_a_module(heap: Planted) -> None:
    container = heap.add("dict", name="container", family=Family.DICT)
    heap.refer(heap.own, container, Edge.GLOBAL, "BY_ID")
    heap.held_in(container, Edge.VALUE)


@planted(Truth("shop.leaks.SEEN", vias=("module shop.leaks", "attribute 'SEEN'", "key")))
def keys_of_a_dict(heap: Planted) -> None:
    container = heap.add("dict", name="container", family=Family.DICT)
    heap.refer(heap.own, container, Edge.GLOBAL, "SEEN")
    heap.held_in(container, Edge.KEY)


@planted(Truth("shop.leaks.UNIQUE", vias=("module shop.leaks", "attribute 'UNIQUE'", "member")))
def set_of_a_module(heap: Planted) -> None:
    container = heap.add("set", name="container", family=Family.SET)
    heap.refer(heap.own, container, Edge.GLOBAL, "UNIQUE")
    heap.held_in(container, Edge.MEMBER)


@planted(Truth("shop.leaks.RECENT", vias=("module shop.leaks", "attribute 'RECENT'", "item")))
def deque_without_a_bound(heap: Planted) -> None:
    container = heap.add("collections.deque", name="container", family=Family.DEQUE)
    heap.refer(heap.own, container, Edge.GLOBAL, "RECENT")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("shop.leaks.Basket.all"))
def list_of_a_class(heap: Planted) -> None:
    of = heap.named("type", "shop.leaks.Basket", OWN_FILE, Family.CLASS)
    heap.refer(heap.own, of, Edge.GLOBAL, "Basket")
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(of, container, Edge.CLASS_ATTRIBUTE, "all")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("shop.leaks.AuditTrail.trail"))
def attribute_of_an_instance(heap: Planted) -> None:
    trail, attributes = heap.instance("shop.leaks.AuditTrail")
    heap.refer(heap.own, trail, Edge.GLOBAL, "TRAIL")
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(attributes, container, Edge.ATTRIBUTE, "trail")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("shop.leaks.AuditTrail.trail"))
def slot_of_an_instance(heap: Planted) -> None:
    trail = heap.add("shop.leaks.AuditTrail")
    heap.refer(heap.own, trail, Edge.GLOBAL, "TRAIL")
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(trail, container, Edge.ATTRIBUTE, "trail")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("'kept' of shop.leaks.remember"))
def variable_of_a_closure(heap: Planted) -> None:
    function = heap.named("function", "shop.leaks.remember", OWN_FILE, Family.FUNCTION)
    heap.refer(heap.own, function, Edge.GLOBAL, "remember")
    cell = heap.add("cell", 40, family=Family.CELL)
    heap.refer(function, cell, Edge.CELL, "kept")
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(cell, container, Edge.OTHER)
    heap.held_in(container, Edge.INDEX)


@planted(Truth("shop.leaks.price", dominator="container"))
def cache_of_a_function(heap: Planted) -> None:
    container = heap.named("functools._lru_cache_wrapper", "shop.leaks.price", OWN_FILE, Family.LRU_CACHE)
    heap.names["container"] = container
    heap.refer(heap.own, container, Edge.GLOBAL, "price")
    heap.held_in(container, Edge.OTHER)


@planted(Truth("'batch' of work"))
def variable_of_a_running_function(heap: Planted) -> None:
    frame = heap.add("frame", 400, family=Family.FRAME)
    heap.root(frame, RootKind.FRAME, "work", file=OWN_FILE, line=12, thread="MainThread")
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(frame, container, Edge.LOCAL, "batch")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("'rows' of shop.leaks.stream"))
def generator_that_has_not_ended(heap: Planted) -> None:
    generator = heap.named("generator", "shop.leaks.stream", OWN_FILE, Family.GENERATOR)
    heap.refer(heap.own, generator, Edge.GLOBAL, "STREAM")
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(generator, container, Edge.LOCAL, "rows")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("'rows' of handle"))
def exception_that_is_kept(heap: Planted) -> None:
    error = heap.add("ValueError")
    heap.refer(heap.own, error, Edge.GLOBAL, "LAST_ERROR")
    traceback = heap.add("traceback", family=Family.TRACEBACK)
    heap.refer(error, traceback, Edge.ATTRIBUTE, "__traceback__")
    frame = heap.named("frame", "handle", OWN_FILE, Family.FRAME)
    heap.refer(traceback, frame, Edge.OTHER)
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(frame, container, Edge.LOCAL, "rows")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("shop.leaks.FIRST", dominator=""))
def linked_list(heap: Planted) -> None:
    before, kind, name = heap.own, Edge.GLOBAL, "FIRST"
    for quote in heap.quotes():
        heap.refer(before, quote, kind, name)
        before, kind, name = quote, Edge.ATTRIBUTE, "next"


@planted(Truth("shop.leaks.NESTED", dominator=""))
def dicts_in_dicts(heap: Planted) -> None:
    before, kind, name = heap.own, Edge.GLOBAL, "NESTED"
    quotes = heap.quotes(1)
    for depth in range(COUNT):
        inner = heap.add("dict", 0, family=Family.DICT)
        heap.refer(before, inner, kind, name)
        before, kind, name = inner, Edge.VALUE, ""
        heap.refer(inner, quotes[0] if not depth else heap.quotes(1)[0], Edge.VALUE)


@planted(Truth("framework.core.REGISTRY", own=False))
def registry_of_a_library(heap: Planted) -> None:
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(heap.library, container, Edge.GLOBAL, "REGISTRY")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("shop.leaks.SERVICE"))
def own_instance_in_a_library_container(heap: Planted) -> None:
    """The nearest named place is the library's; the program's own is above it."""
    signal, attributes = heap.instance("framework.core.Signal")
    heap.refer(heap.own, signal, Edge.GLOBAL, "SERVICE")
    container = heap.add("list", name="container", family=Family.LIST)
    heap.refer(attributes, container, Edge.ATTRIBUTE, "receivers")
    heap.held_in(container, Edge.INDEX)


@planted(Truth("shop.leaks.FIRST", dominator="top"))
def two_holders(heap: Planted) -> None:
    """Neither holder alone dominates: without one of them the other still holds."""
    one = heap.add("list", family=Family.LIST)
    other = heap.add("list", family=Family.LIST)
    heap.refer(heap.own, one, Edge.GLOBAL, "FIRST")
    heap.refer(heap.library, other, Edge.GLOBAL, "SECOND")
    for quote in heap.quotes():
        heap.refer(one, quote, Edge.INDEX)
        heap.refer(other, quote, Edge.INDEX)


@planted(Truth("shop.leaks.STRONG"))
def weak_references_hold_nothing(heap: Planted) -> None:
    weak = heap.add("weakref.WeakSet")
    heap.refer(heap.library, weak, Edge.GLOBAL, "ALIVE")
    container = heap.add("list", name="container", family=Family.LIST)
    holder = heap.add("tuple", family=Family.TUPLE)
    heap.refer(heap.own, holder, Edge.GLOBAL, "STRONG")
    heap.refer(holder, container, Edge.INDEX)
    for quote in heap.quotes():
        heap.refer(weak, quote, Edge.WEAK)
        heap.refer(container, quote, Edge.INDEX)


@planted(Truth("C code", own=True, dominator="top"))
def objects_that_only_c_code_holds(heap: Planted) -> None:
    for quote in heap.quotes():
        heap.root(quote, RootKind.INTERPRETER, "C code")


@planted(Truth("shop.leaks.MANY", retained=30 * EACH, count=30, groups=2))
def two_leaks_of_one_type(heap: Planted) -> None:
    for name, count in (("MANY", 30), ("FEW", 10)):
        container = heap.add("list", name="container" if count == 30 else "", family=Family.LIST)
        heap.refer(heap.own, container, Edge.GLOBAL, name)
        heap.held_in(container, Edge.INDEX, count)


@planted(Truth("shop.leaks.HANDLERS"))
def bound_methods(heap: Planted) -> None:
    container = heap.add("list", name="list", family=Family.LIST)
    heap.refer(heap.own, container, Edge.GLOBAL, "HANDLERS")
    for quote in heap.quotes():
        method = heap.add("method", 64, name="container", family=Family.METHOD)
        heap.refer(container, method, Edge.INDEX)
        heap.refer(method, quote, Edge.ATTRIBUTE, "__self__")


@planted(Truth("shop.leaks.CHAIN", dominator=""))
def objects_of_a_linked_list(heap: Planted) -> None:
    """Each element of the list holds one; no element is their holder."""
    before, kind, name = heap.own, Edge.GLOBAL, "CHAIN"
    for quote in heap.quotes():
        link = heap.add("shop.leaks.Link", 0)
        heap.refer(before, link, kind, name)
        heap.refer(link, quote, Edge.ATTRIBUTE, "quote")
        before, kind, name = link, Edge.ATTRIBUTE, "next"
