"""Which container holds what grows, as far as the census looked."""

from __future__ import annotations

from memwatch.detection.history import History
from memwatch.figures import BigContainer


def growing_container(history: History, least: float) -> BigContainer | None:
    """The container that has gained most entries, and at least so many, whatever it holds."""
    gained = [found for found in gains(history) if found[0] >= least]
    return max(gained, key=lambda item: item[0])[1] if gained else None


def held_by_growing(history: History) -> set[str]:
    """What the growing containers hold."""
    return {container.holds for _, container in gains(history) if container.holds is not None}


def gains(history: History) -> list[tuple[int, BigContainer]]:
    """Each container that has gained entries, and how many. One that was not big at the first looks has grown."""
    first: dict[tuple[str, object], int] = {}
    last: dict[tuple[str, object], BigContainer] = {}
    looks = [containers for containers in history.containers if containers is not None]
    for number, containers in enumerate(looks):
        for container in containers:
            where = container.name or container.token
            if where is not None:
                first.setdefault((container.type, where), container.length if number == 0 else 0)
                last[container.type, where] = container
    grown = [(container.length - first[key], container) for key, container in last.items()]
    return [item for item in grown if item[0] > 0]


def holding(history: History, type_name: str) -> BigContainer | None:
    """The longest container of that type when last seen."""
    for containers in reversed(history.containers):
        held = [container for container in containers or () if container.holds == type_name]
        if held:
            return max(held, key=lambda container: container.length)
    return None
