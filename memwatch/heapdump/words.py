"""What references, roots and objects are called: in heap dumps and in what a recording of referrers finds."""

from __future__ import annotations

from memwatch.heapdump.format import Edge, Family, Root

_WORDS = {
    Edge.OTHER: "reference",
    Edge.KEY: "key",
    Edge.VALUE: "value",
    Edge.INDEX: "item",
    Edge.MEMBER: "member",
    Edge.CELL: "closure variable",
    Edge.LOCAL: "local variable",
    Edge.STACK: "working value",
    Edge.WEAK: "weak reference",
    Edge.DICT: "__dict__",
}
_NAMED = {
    Edge.CELL: "closure variable",
    Edge.LOCAL: "local variable",
    Edge.VALUE: "value of",
    Edge.CLASS_ATTRIBUTE: "class attribute",
}
_VIA = {Edge.KEY: "as a key", Edge.VALUE: "key", Edge.INDEX: "index", Edge.MEMBER: "entry", Edge.OTHER: "inside"}
_ROOTS = {Root.MODULE: "module ", Root.CLASS: "class ", Root.FRAME: "frame of "}
_TITLES = {Family.CLASS: "class", Family.LRU_CACHE: "lru_cache of"}


def reference(how: Edge, name: str = "") -> str:
    """E.g. ``attribute 'quotes'``, ``item``, ``local variable 'kept'``, ``value``."""
    return f"{_NAMED.get(how, 'attribute')} '{name}'" if name else _WORDS.get(how, "attribute")


def via(how: Edge, name: str = "") -> str:
    """The same of one object that is held: ``key`` says that it is under a key, ``as a key`` that it is the key.

    Of ``OTHER`` the name is the word.
    """
    if how is Edge.OTHER and name:
        return name
    return _VIA[how] if how in _VIA else reference(how, name)


def root(kind: Root, name: str, thread: str = "") -> str:
    """E.g. ``module shop.leaks``, ``frame of handle in thread MainThread``."""
    return f"{_ROOTS.get(kind, '')}{name}" + (f" in thread {thread}" if kind is Root.FRAME and thread else "")


def titled(type_name: str, family: Family, name: str) -> str:
    """An object that has a name: ``function shop.views.cart``, ``class shop.Cart``, ``lru_cache of shop.price``."""
    return f"{_TITLES.get(family, type_name)} {name}"
