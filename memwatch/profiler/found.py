"""The leaks that a profiler has found so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memwatch.records import SEVERITIES, Leak


class FoundLeaks:
    """Each as it was last seen, by kind and type."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Leak] = {}
        self._active: frozenset[tuple[str, str]] = frozenset()

    def news(self, leaks: Sequence[Leak]) -> Iterator[Leak]:
        """Those of what a look has found that are new or have become worse; each is known once it was given."""
        self._active = frozenset((leak.kind, leak.object_type) for leak in leaks)
        for leak in leaks:
            key = (leak.kind, leak.object_type)
            known, self._known[key] = self._known.get(key), leak
            if known is None or SEVERITIES.index(leak.severity) > SEVERITIES.index(known.severity):
                yield leak

    def known(self) -> list[Leak]:
        """All that were ever found."""
        return list(self._known.values())

    def active(self) -> list[Leak]:
        """Those that the last look found."""
        return [leak for key, leak in list(self._known.items()) if key in self._active]

    def clear(self) -> None:
        """Forget them all."""
        self._known.clear()
        self._active = frozenset()

    @property
    def active_count(self) -> int:
        return len(self._active)
