"""What the heap is made of, and the places where memory usually hides: one look, in parts."""

from __future__ import annotations

import dataclasses
import gc
import json
import math
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from itertools import compress, islice, repeat
from operator import not_
from typing import Any

from memwatch.diagnosis import results
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.copy.child import Still, to_the_end
from memwatch.diagnosis.copy.parent import Harmed, NotForked, in_child
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.frames import thread_names
from memwatch.diagnosis.heap import walk
from memwatch.diagnosis.heap.big_containers import Objects
from memwatch.diagnosis.heap.traversal import HEADERS, basic_size_of
from memwatch.diagnosis.suspects import Suspects
from memwatch.sampling.atomic import Step
from memwatch.sampling.census import OBSERVER
from memwatch.sampling.container_scan import PLAIN_IDS, look, stride
from memwatch.sampling.mappings import Group, read_mappings
from memwatch.sampling.module_names import module_level_names
from memwatch.sampling.type_names import clean, type_name

NEEDS_MB = 32.0
SAMPLED = 40_000
"""Objects of which the size is asked, evenly spread over the heap."""
MOST_TYPES = 100
MOST_CONTAINERS = 30
MOST_MODULES = 40
_NOTE = (
    "Objects that the garbage collector tracks. Texts, numbers and bytes are not among them: "
    "they show as entries of containers."
)


class HeapSummaryRecording:
    """Counts every tracked object by type, sizes a sample, and looks at the usual suspects."""

    def __init__(self, host: Host) -> None:
        self.needs_mb = NEEDS_MB + host.listing_mb
        self._host = host
        self._counts: Counter[int] = Counter()
        self._names: dict[int, str] = {}
        self._classes: dict[int, type] = {}
        """Held while their ids are in use."""
        self._sizes: dict[int, list[int]] = defaultdict(list)
        """Of the sample, by id of the type."""
        self._exact: dict[int, list[int]] = defaultdict(list)
        """Of the big containers, which a sample would meet by chance: each of them, by id of the type."""

    def run(self, meter: Meter) -> Generator[float, None, results.HeapSummary]:
        """Yields seconds to wait; returns the result: of a copy of the process, else of itself, in parts."""
        mappings = _mappings(self._host.mappings() or {})
        found = yield from self._summary(meter)
        return dataclasses.replace(found, mappings=mappings)

    def _summary(self, meter: Meter) -> Generator[float, None, results.HeapSummary]:
        try:
            content = yield from in_child(self._in_copy, self._host, meter)
        except Harmed as reason:
            raise reason.refused() from None
        except NotForked as reason:
            walk.refuse_large(self._host, meter, str(reason))
            found = yield from self.within(meter)
            note = f"Gone through within the process: {reason}."
            return dataclasses.replace(found, notes=(*found.notes, note))
        return _rebuilt(json.loads(content))

    def _in_copy(self) -> bytes:
        gc.unfreeze()
        found: results.HeapSummary = to_the_end(self.within(Still()))  # type: ignore[arg-type]
        return json.dumps(found.to_dict()).encode()

    def within(self, meter: Meter) -> Generator[float, None, results.HeapSummary]:
        """Summarise the process that this runs in. Yields seconds to wait; returns the result."""
        seen = look(total=walk.count_objects(meter))
        containers = _containers(seen.containers)
        meter.paused(seen.pause_ms)
        yield 0.01
        yield from self._count(meter, frozenset(each.token for each in seen.containers))
        types = self._type_sizes()
        suspects = yield from Suspects(self._host, meter, tuple(self._classes.values())).find()
        return results.HeapSummary(
            types=types[:MOST_TYPES],
            containers=containers,
            modules=_modules(types),
            garbage=len(gc.garbage),
            threads=tuple(sorted(map(clean, thread_names().values()))),
            suspects=suspects,
            notes=(_NOTE,),
        )

    def _count(self, meter: Meter, big: frozenset[int]) -> Generator[float, None, None]:
        types: list[type] = []
        sampled: list[type] = []
        sizes: list[int] = []
        big_types: list[type] = []
        big_sizes: list[int] = []
        own = frozenset(map(id, (types, sampled, sizes, big_types, big_sizes)))
        spread = stride(walk.count_objects(meter), SAMPLED)

        def gather(objects: Objects, _size: int) -> list[Step]:
            def is_big() -> Any:
                return map(big.__contains__, map(id, objects()))

            def sample() -> Any:
                left_out = map((big | own).__contains__, map(id, objects()))
                return islice(compress(objects(), map(not_, left_out)), 0, None, spread)

            def plain() -> Any:
                return map(PLAIN_IDS.__contains__, map(id, map(type, sample())))

            others = compress(sample(), map(not_, plain()))
            return [
                partial(types.extend, map(type, objects())),
                partial(sampled.extend, map(type, compress(sample(), plain()))),
                partial(sizes.extend, map(sys.getsizeof, compress(sample(), plain()))),
                partial(sampled.extend, map(type, others)),
                partial(big_types.extend, map(type, compress(objects(), is_big()))),
                partial(big_sizes.extend, map(sys.getsizeof, compress(objects(), is_big()))),
            ]

        def take() -> None:
            self._counts.update(map(id, types))
            for key, of in dict(zip(map(id, types), types, strict=True)).items():
                if key not in self._names:
                    self._classes[key], self._names[key] = of, type_name(of)
            for of, size in zip(sampled, [*sizes, *repeat(0, len(sampled) - len(sizes))], strict=True):
                self._sizes[id(of)].append(size or basic_size_of(of) + HEADERS)
            for of, size in zip(big_types, big_sizes, strict=True):
                self._exact[id(of)].append(size)
            for each in (types, sampled, sizes, big_types, big_sizes):
                each.clear()

        for wait_s in walk.walk(self._host, meter, gather, parts=walk.SEARCH_PARTS):
            take()
            yield wait_s
        take()

    def _type_sizes(self) -> tuple[results.TypeSize, ...]:
        """Types of the same name are taken together."""
        counts: Counter[str] = Counter()
        sizes: dict[str, list[int]] = defaultdict(list)
        exact: dict[str, list[int]] = defaultdict(list)
        basic: dict[str, int] = {}
        for key, count in self._counts.items():
            name = self._names[key]
            counts[name] += count
            sizes[name] += self._sizes.get(key, [])
            exact[name] += self._exact.get(key, [])
            basic[name] = basic_size_of(self._classes[key]) + HEADERS
        found = [
            _type_size(name, count, sizes[name], basic[name], exact[name])
            for name, count in counts.items()
            if not name.startswith(OBSERVER)
        ]
        return tuple(sorted(found, key=lambda each: each.size_kb, reverse=True))


def _rebuilt(found: dict[str, Any]) -> results.HeapSummary:
    """From its ``to_dict()``, which a copy of the process sent."""
    return results.HeapSummary(
        types=tuple(results.TypeSize(**row) for row in found["types"]),
        containers=tuple(results.Container(**row) for row in found["containers"]),
        modules=tuple(results.ModuleSize(**row) for row in found["modules"]),
        garbage=found["garbage"],
        threads=tuple(found["threads"]),
        suspects=tuple(results.Suspect(**row) for row in found["suspects"]),
        notes=tuple(found["notes"]),
    )


def _type_size(name: str, count: int, sizes: Sequence[int], basic: int, exact: Sequence[int]) -> results.TypeSize:
    """The sizes in ``exact``, and for the rest the mean of the sample, with the half width of its 95 % interval."""
    rest = max(0, count - len(exact))
    mean = statistics.fmean(sizes) if sizes else float(basic)
    error = None
    if len(sizes) >= 2:
        spread = statistics.stdev(sizes) / math.sqrt(len(sizes)) * math.sqrt(max(0.0, 1 - len(sizes) / max(rest, 1)))
        error = round(1.96 * spread * rest / 1024, 1)
    elif len(sizes) == rest:
        error = 0.0
    size_kb = round((sum(exact) + mean * rest) / 1024, 1)
    return results.TypeSize(type=name, count=count, size_kb=size_kb, size_error_kb=error)


def _mappings(before: Mapping[str, Group]) -> tuple[results.Mappings, ...]:
    """Of this process, with the growth since then."""
    found = [
        results.Mappings(
            name=clean(name),
            size_kb=group.kb,
            count=group.mappings,
            grew_kb=group.kb - before[name].kb if name in before else group.kb if before else None,
        )
        for name, group in (read_mappings() or {}).items()
    ]
    return tuple(sorted(found, key=lambda each: each.grew_kb or 0.0, reverse=True))


def _containers(found: Sequence[Any]) -> tuple[results.Container, ...]:
    longest = sorted(found, key=lambda each: each.length, reverse=True)[:MOST_CONTAINERS]
    names = module_level_names(each.token for each in longest)
    return tuple(
        results.Container(
            name=clean(names.get(each.token, "")),
            type=each.kind.__name__,
            length=each.length,
            holds=Counter(map(type_name, each.entry_types)).most_common(1)[0][0] if each.entry_types else "",
        )
        for each in longest
    )


def _modules(types: Sequence[results.TypeSize]) -> tuple[results.ModuleSize, ...]:
    """By the top-level package that defines the class; built-in types have none."""
    counts: Counter[str] = Counter()
    sizes: dict[str, float] = defaultdict(float)
    for each in types:
        module = each.type.partition(".")[0] if "." in each.type else "builtins"
        counts[module] += each.count
        sizes[module] += each.size_kb
    ordered: Mapping[str, float] = dict(sorted(sizes.items(), key=lambda item: -item[1])[:MOST_MODULES])
    return tuple(
        results.ModuleSize(module=module, count=counts[module], size_kb=round(size, 1))
        for module, size in ordered.items()
    )
