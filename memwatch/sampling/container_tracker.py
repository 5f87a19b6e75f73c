"""Big built-in containers: what fills up when nothing gc-tracked grows, e.g. a list of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from memwatch.records import BigContainer
from memwatch.sampling.container_scan import Found, Look
from memwatch.sampling.module_names import module_level_names
from memwatch.sampling.type_names import TypeNames, clean

TOLD = 1_000
"""Entries from which a container is reported; a smaller one only when it has grown."""
MAX_CONTAINERS = 20
"""Containers that one snapshot reports."""
EVERY = 5
"""A look comes at least every fifth census, where the budget allows."""
MIN_SPACING = 3
"""And at most every third."""
OVERDUE = 10
"""Censuses after which a look comes although the budget is used up: it then pays with those that follow."""
GROWN_BLOCKS = 500
"""Blocks of memory allocated since the last look that make another worth while."""
NAME_TRIES = 3
"""Looks at which a container's module-level name is searched for; then it has none."""


class BigContainers:
    """Looks for big containers when it is worth while, and remembers what it needs to say which of them grow."""

    def __init__(self, names: TypeNames) -> None:
        self._names = names
        self._first: dict[int, tuple[type, int]] = {}
        """Kind and length of each container when it was first seen since the baseline, by token."""
        self._places: dict[int, str] = {}
        self._tries: dict[int, int] = {}
        self._censuses = EVERY
        """Since the last look."""
        self._blocks = 0
        """Allocated at the last look."""
        self.pause_ms = 0.0
        """Milliseconds that the last look paused the program."""
        self.type_sizes: dict[str, int] = {}
        """Mean shallow size in bytes by type name, as of the last look; built-in types only."""

    def due(self, blocks: int) -> bool:
        """Whether to look after this census. ``blocks``: ``sys.getallocatedblocks()``."""
        self._censuses += 1
        grown = blocks - self._blocks >= GROWN_BLOCKS
        return self._censuses >= (MIN_SPACING if grown else EVERY)

    @property
    def overdue(self) -> bool:
        """Whether none has come for long: censuses alone use up a tight budget as fast as it grows."""
        return self._censuses >= OVERDUE

    def reset_baseline(self) -> None:
        """Count growth from the next look on."""
        self._first.clear()

    def observe(self, seen: Look, *, blocks: int, own: Collection[int]) -> tuple[BigContainer, ...]:
        """What ``seen`` has found: the fastest growing containers first, then the largest.

        ``own``: ids to leave out.
        """
        self._censuses, self._blocks, self.pause_ms = 0, blocks, seen.pause_ms
        found = [container for container in seen.containers if container.token not in own]
        self._remember(found)
        found = [container for container in found if container.length >= TOLD or self._growth(container) > 0]
        found.sort(key=lambda container: (self._growth(container), container.length), reverse=True)
        del found[MAX_CONTAINERS:]
        self._find_names(found)
        self.type_sizes = self._mean_sizes(seen.sampled_types, seen.sampled_sizes)
        return tuple(self._figures(container) for container in found)

    def _growth(self, container: Found) -> int:
        return container.length - self._first[container.token][1]

    def _remember(self, found: list[Found]) -> None:
        """Keep first lengths of what is still there; an address with another kind or half the length is another one."""
        first: dict[int, tuple[type, int]] = {}
        for container in found:
            kind, length = self._first.get(container.token, (None, 0))
            if kind is container.kind and container.length * 2 >= length:
                first[container.token] = (container.kind, length)
            else:
                first[container.token] = (container.kind, container.length)
                self._places.pop(container.token, None)
                self._tries.pop(container.token, None)
        self._first = first
        self._places = {token: place for token, place in self._places.items() if token in first}
        self._tries = {token: tries for token, tries in self._tries.items() if token in first}

    def _find_names(self, found: list[Found]) -> None:
        nameless = [
            container.token
            for container in found
            if container.token not in self._places and self._tries.get(container.token, 0) < NAME_TRIES
        ]
        if not nameless:
            return
        self._places.update({token: clean(place) for token, place in module_level_names(nameless).items()})
        for token in nameless:
            self._tries[token] = self._tries.get(token, 0) + 1

    def _figures(self, container: Found) -> BigContainer:
        held = Counter(self._names.of(container.entry_types))
        sizes = container.entry_sizes
        return BigContainer(
            type=container.kind.__name__,
            length=container.length,
            holds=max(held, key=held.__getitem__) if held else None,
            token=container.token,
            name=self._places.get(container.token),
            entry_bytes=round(sum(sizes) / len(sizes), 1) if sizes else None,
        )

    def _mean_sizes(self, types: list[type], sizes: list[int]) -> dict[str, int]:
        sums: dict[int, list[int]] = {}
        for key, size in zip(map(id, types), sizes, strict=True):
            entry = sums.setdefault(key, [0, 0])
            entry[0] += 1
            entry[1] += size
        named = dict(zip(map(id, types), types, strict=True))
        return {self._names.of((named[key],))[0]: round(size / count) for key, (count, size) in sums.items()}

    def own_blocks(self) -> int:
        """Blocks of memory this object keeps from look to look, roughly."""
        return 3 * len(self._first) + 2 * len(self._places) + len(self._tries)
