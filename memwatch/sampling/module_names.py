"""Which names of modules stand for given objects: ``shop.leaks.TRAIL`` for the id of that list."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, compress, repeat
from operator import itemgetter

from memwatch.sampling import walk
from memwatch.sampling.atomic import possible, uninterrupted
from memwatch.sampling.container_scan import map_each, namespaces, of_loaded

_Hit = tuple[object, object, int]
"""Module, name, id of the object."""


def module_level_names(tokens: Iterable[int]) -> dict[int, str]:
    """``module.NAME`` by the id of the object, for those of ``tokens`` that a module's namespace holds.

    Where several do, underscored names and ``__main__`` give way to others. None are found without the global lock.
    """
    if not possible():
        return {}
    wanted = sorted(frozenset(tokens))
    if walk.names is None:
        hits = _by_python(frozenset(wanted))
    else:
        hits = iter(walk.names(struct.pack(f"{len(wanted)}P", *wanted)))
    best: dict[int, tuple[bool, bool, str]] = {}
    for module, name, token in hits:
        if type(module) is str and type(name) is str:
            rank = (module == "__main__", name.startswith("_"), f"{module}.{name}")
            if token not in best or rank[:2] < best[token][:2]:
                best[token] = rank
    return {token: rank[2] for token, rank in best.items()}


def _by_python(wanted: frozenset[int]) -> Iterator[_Hit]:
    """Without the compiled walk: every value of every module is referenced for a moment."""
    modules: list[str] = []
    hits: list[tuple[str, list[str], list[int]]] = []

    def is_wanted() -> Iterator[Iterator[bool]]:
        return map_each(wanted.__contains__, map_each(id, map(dict.values, namespaces())))

    def hits_by_module() -> Iterator[tuple[str, list[str], list[int]]]:
        names = map(list, map(compress, namespaces(), is_wanted()))
        ids = map(list, map(compress, map_each(id, map(dict.values, namespaces())), is_wanted()))
        return filter(itemgetter(1), zip(modules, names, ids, strict=False))

    uninterrupted([partial(modules.extend, of_loaded(dict.keys)), partial(hits.extend, hits_by_module())])
    return chain.from_iterable(zip(repeat(module), names, ids) for module, names, ids in hits)
