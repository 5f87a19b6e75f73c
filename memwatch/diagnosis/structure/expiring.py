"""Which of the traced objects come and go with entries that expire."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from memwatch.diagnosis.referrers import holding
from memwatch.diagnosis.referrers.graph import Graph
from memwatch.diagnosis.results import Expiring, Lifetime
from memwatch.diagnosis.structure.lifetimes import lifetime_of
from memwatch.diagnosis.structure.time_room import ENOUGH, MOST_S, is_kept

LEAST_SHARE = 0.03
"""Share of the traced objects that a container holds, at least."""
MOST_ASKED = 40
"""Containers that are asked, those first that hold most."""


class Expiries:
    """The lifetimes of the containers above the ``examined`` objects. ``instances``: objects of the type, alive."""

    def __init__(
        self, climbed: Graph, objects: Mapping[int, Any], examined: Sequence[int], before: Mapping[int, int] | None,
        *, instances: int,
    ) -> None:  # fmt: skip
        self._climbed, self._objects, self._instances = climbed, objects, instances
        self._above = [frozenset(climbed.above(key)) for key in examined]
        self._held = Counter(key for above in self._above for key in above)
        self._inside = holding.growth_inside(climbed, self._held, before)
        self._known: dict[int, Lifetime | None] = {}

    def of(self, key: int) -> Lifetime | None:
        """Of one container that holds some of them."""
        if key not in self._known:
            self._known[key] = self._look_up(key)
        return self._known[key]

    def of_suspect(self, key: int, *, grew: bool) -> tuple[Lifetime | None, Expiring | None]:
        """Of the container that is itself what was examined."""
        found = lifetime_of(key, self._climbed, self._objects)
        if found is None:
            return None, None
        found = dataclasses.replace(found, explains=grew)
        return found, _together([found], 1) if grew else None

    def all_together(self) -> Expiring | None:
        """Of all containers that hold some of them; ``None`` where these do not hold nearly all."""
        asked: list[int] = []
        for key, holds in self._held.most_common():
            node = self._climbed.nodes.get(key)
            if node is None or (node.length or 0) < 2 or node.root is not None or self._climbed.is_namespace(key):
                continue
            if holds < LEAST_SHARE * len(self._above) or len(asked) == MOST_ASKED:
                break
            asked.append(key)
        lifetimes = {key: each for key in asked if (each := self.of(key)) is not None}
        explaining = {key: each for key, each in lifetimes.items() if each.explains and each.seconds <= MOST_S}
        holds = sum(not above.isdisjoint(explaining) for above in self._above)
        return _together(list(explaining.values()), holds) if holds >= holding.SURE * len(self._above) else None

    def _look_up(self, key: int) -> Lifetime | None:
        found = lifetime_of(key, self._climbed, self._objects)
        if found is None:
            return None
        explains = holding.of_expiring(
            self._held[key], len(self._above), found.entries,
            inside=self._inside.get(key, 0), instances=self._instances,
        )  # fmt: skip
        return dataclasses.replace(found, explains=explains)


def _together(lifetimes: Sequence[Lifetime], holds: int) -> Expiring:
    return Expiring(
        holds=holds,
        seconds=max(each.seconds for each in lifetimes),
        timed=all(each.timed >= ENOUGH and is_kept(each.timed, each.overdue) for each in lifetimes),
    )
