"""What a container and its owner say of themselves: attributes by plain name, read without running the host's code.

No property and no ``__getattr__`` is asked: values come from an instance's own namespace, its slots and the namespaces
of its classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.referrers.graph import Graph
from memwatch.heapdump.format import Edge

_MANGLED = re.compile(r"^_[A-Za-z0-9_]*?__(?=[a-z])")


def owners(key: int, climbed: Graph, objects: Mapping[int, Any]) -> Iterator[Any]:
    """Those whose attribute the object with this id is: instances, then classes."""
    for parent, link in climbed.parents(key):
        if link.how is Edge.ATTRIBUTE:
            yield objects[parent]
        elif link.name:
            yield from (objects[owner] for owner in climbed.owners(parent))


def attributes(owner: Any) -> Iterator[tuple[str, Any]]:
    """Plain name and value: the instance's own before those of its classes."""
    of_class = introspection.is_class(owner)
    if not of_class:
        yield from own_attributes(owner)
    for each in introspection.mro_of(owner if of_class else type(owner)):
        yield from _plain(list(introspection.namespace_of(each).items()))


def own_attributes(item: Any) -> Iterator[tuple[str, Any]]:
    """Plain name and value of the instance's own."""
    yield from _plain(list(dict.items(introspection.instance_dict(item) or {})))
    yield from _plain(list(introspection.slots(item)))


def plain(name: str) -> str:
    """In lower case, without underscores in front and without the name of a class before a private name."""
    return _MANGLED.sub("", name).lstrip("_").lower()


def _plain(namespace: list[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    return ((plain(name), value) for name, value in namespace if type(name) is str)
