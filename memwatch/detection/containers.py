"""Which container holds what grows, as far as censuses show it."""

from __future__ import annotations

from memwatch.detection.history import History
from memwatch.records import BigContainer


def growing_container(history: History, least: float) -> BigContainer | None:
    """The container that gained most entries, if at least ``least``, whatever it holds."""
    gained = [found for found in gains(history) if found[0] >= least]
    return max(gained, key=lambda item: item[0])[1] if gained else None


def held_by_growing(history: History) -> set[str]:
    """The types that growing containers hold."""
    return {container.holds for _, container in gains(history) if container.holds is not None}


def gains(history: History) -> list[tuple[int, BigContainer]]:
    """``(entries gained, container)`` for each container that has grown and still exists.

    A container that the first census did not report counts from 0 if it has a name or was seen at least twice. A
    nameless one that was seen once may belong to a request in progress.
    """
    looks = [containers for containers in history.containers if containers is not None]
    seen: dict[tuple[str, object], list[int]] = {}
    last: dict[tuple[str, object], BigContainer] = {}
    for number, containers in enumerate(looks):
        last = {}
        for container in containers:
            where = container.name or container.token
            if where is not None:
                key: tuple[str, object] = (container.type, where)
                seen.setdefault(key, [] if number == 0 else [0]).append(container.length)
                last[key] = container
    grown = [
        (container.length - lengths[0], container)
        for key, container in last.items()
        if (lengths := seen[key]) and (container.name or lengths[0] or len(lengths) > 2)
    ]
    return [item for item in grown if item[0] > 0]


def holding(history: History, type_name: str) -> BigContainer | None:
    """The longest container that holds this type, in the newest census that has one."""
    for containers in reversed(history.containers):
        held = [container for container in containers or () if container.holds == type_name]
        if held:
            return max(held, key=lambda container: container.length)
    return None
