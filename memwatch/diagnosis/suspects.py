"""Where memory usually hides: handlers of loggers, receivers of signals, queries that are kept, caches without end."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from functools import partial
from itertools import islice
from typing import Any

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import introspection, references, walk
from memwatch.diagnosis.heap.big_containers import Objects, of_types
from memwatch.diagnosis.heap.borrowed import held, put_back
from memwatch.diagnosis.heap_dump.kinds import LruCache
from memwatch.diagnosis.referrers.nodes import cache_length
from memwatch.diagnosis.results import Suspect
from memwatch.sampling.atomic import Step
from memwatch.sampling.module_names import module_level_names
from memwatch.sampling.type_names import clean, type_name

MOST = 40
MANY_HANDLERS = 10
MANY_RECEIVERS = 100
MANY_QUERIES = 1_000
MANY_CACHED = 10_000
_SIGNAL = "django.dispatch.dispatcher.Signal"
_CONNECTION = "django.db.backends.base.base.BaseDatabaseWrapper"


class Suspects:
    """Finds them by the classes that live in the process; nothing that is not loaded is looked for."""

    def __init__(self, host: Host, meter: Meter, classes: tuple[type, ...]) -> None:
        self._host = host
        self._meter = meter
        self._signals = _derived(classes, _SIGNAL)
        self._connections = _derived(classes, _CONNECTION)

    def find(self) -> Generator[float, None, tuple[Suspect, ...]]:
        """Yields seconds to wait; returns those with a count, the suspicious first."""
        found = list(_handlers())
        kinds = (self._signals | self._connections, frozenset((id(LruCache),)))
        seen: set[int] = set()
        with held(self._host) as objects:

            def gather(of_part: Objects, _size: int) -> list[Step]:
                return [partial(objects.extend, islice(of_types(each, of_part), walk.MOST_FOUND)) for each in kinds]

            for wait_s in walk.walk(self._host, self._meter, gather):
                found += self._told(objects, seen)
                put_back(objects, self._host)
                yield wait_s
            found += self._told(objects, seen)
        found.sort(key=lambda each: (not each.advice, -each.count))
        return tuple(found[:MOST])

    def _told(self, objects: list[Any], seen: set[int]) -> list[Suspect]:
        """The suspects that one part found; each once."""
        names = module_level_names(map(id, objects)) if objects else {}
        found = []
        for item in objects:
            if id(item) not in seen:
                seen.add(id(item))
                suspect = self._suspect(item, names.get(id(item)))
                found += [suspect] if suspect else []
        return found

    def _suspect(self, item: Any, name: str | None) -> Suspect | None:
        kind = id(type(item))
        if kind in self._signals:
            return _receivers(item, name)
        if kind in self._connections:
            return _queries(item)
        entries = cache_length(item)
        if not entries:
            return None
        of = references.wrapped(item)
        title = name or "?" if of is None else introspection.function_name(of)
        many = (
            "give it a maxsize, or clear it: every different argument stays for ever" if entries > MANY_CACHED else ""
        )
        return Suspect(name=f"entries of the lru_cache of {title}", count=entries, advice=many)


def _derived(classes: tuple[type, ...], name: str) -> frozenset[int]:
    """The ids of the class of that name and of those derived from it."""
    return frozenset(id(of) for of in classes if any(type_name(base) == name for base in introspection.mro_of(of)))


def _handlers() -> Iterator[Suspect]:
    """The handlers of each logger that has any."""
    logging = sys.modules.get("logging")
    if logging is None:
        return
    loggers: dict[str, Any] = {"root": logging.__dict__.get("root")}
    known = introspection.attribute(vars(logging.Logger).get("manager"), "loggerDict")
    if type(known) is dict:
        loggers |= {name: item for name, item in list(known.items()) if type(name) is str}
    for name, logger in loggers.items():
        handlers = introspection.attribute(logger, "handlers")
        if type(handlers) is list and handlers:
            many = "a handler is added again and again: add it once, where logging is configured"
            advice = many if len(handlers) > MANY_HANDLERS else ""
            yield Suspect(name=f"handlers of logger {clean(name)}", count=len(handlers), advice=advice)


def _receivers(signal: Any, name: str | None) -> Suspect | None:
    receivers = introspection.attribute(signal, "receivers")
    count = len(receivers) if type(receivers) is list else 0
    if not count:
        return None
    many = "receivers are connected again and again: connect once, with a dispatch_uid, or let them be weak"
    return Suspect(
        name=f"receivers of signal {clean(name or '?')}", count=count, advice=many if count > MANY_RECEIVERS else ""
    )


def _queries(connection: Any) -> Suspect | None:
    log = introspection.attribute(connection, "queries_log")
    count = introspection.length(log) or 0
    if not count:
        return None
    alias = introspection.attribute(connection, "alias")
    title = clean(alias) if type(alias) is str else "?"
    many = "DEBUG (or force_debug_cursor) keeps every query: switch it off in a process that lives long"
    return Suspect(name=f"queries kept by connection {title}", count=count, advice=many if count > MANY_QUERIES else "")
