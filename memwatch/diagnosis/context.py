"""What a recording must know of the process that it runs in, and how it says no."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from memwatch.records import MB, BigContainer
from memwatch.sampling.mappings import Group


class Refused(Exception):  # noqa: N818 - an answer more than an error
    """A recording that cannot be made, or not be brought to an end; the text says why and what to do."""


LISTED_BYTES = 10
"""For each tracked object, where all are listed: a pointer, and what the list grows by ahead."""


def _nothing() -> None:
    return None


def _yes() -> bool:
    return True


def _ignore(_type: str) -> None:
    pass


def _none_made() -> Sequence[tuple[str, str, int, int]]:
    return ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Host:
    """The circumstances; the agent knows them."""

    program: str = ""
    """As :func:`memwatch.sampling.identity.program.guess_program` calls it."""
    arguments: tuple[str, ...] = ()
    heap_limit_mb: float | None = None
    """The setting, where it is set; it then stands for the limit."""
    baseline: Callable[[], Mapping[str, int] | None] = _nothing
    """Count by type name at the agent's baseline."""
    mappings: Callable[[], Mapping[str, Group] | None] = _nothing
    """Resident memory by what its mappings are for, at the agent's baseline."""
    chosen: BigContainer | None = None
    """With memory that no type accounts for: the container that is meant, where that is known."""
    containers: Callable[[], tuple[BigContainer, ...] | None] = _nothing
    """The big containers of the agent's last look, the fastest growing first."""
    total_objects: Callable[[], int | None] = _nothing
    """How many the collector tracks, by the agent's last census."""
    requests_handled: Callable[[], int | None] = _nothing
    tasks_handled: Callable[[], int | None] = _nothing
    apart_s: float = 8.0
    """Between two looks; longer, but not three times as long, while the process has handled few calls. Less, if
    so much came by then that the container is sure."""
    waits: bool = False
    """Whether the program stands still until the answer is there: then a copy need not be nice."""
    shows_values: bool = False
    """Whether the process lets values of its objects be shown, where somebody may ask for them."""
    since_full_s: Callable[[], float | None] = _nothing
    """No full collection has run for this time, at least."""
    collects: Callable[[], bool] = _yes
    """Whether the host itself has the garbage collector on."""
    note_jobs: Callable[[str], None] = _ignore
    """Note from now on in which job objects of the type are made."""
    made_in: Callable[[], Sequence[tuple[str, str, int, int]]] = _none_made
    """What was noted, and the end of it: kind and name of the job, objects, calls."""

    @property
    def listing_mb(self) -> float:
        """What a list of all tracked objects takes, in MB; each part of a pass makes one for a moment."""
        return (self.total_objects() or 0) * LISTED_BYTES / MB


_OTHER_POOLS = ("solo", "threads", "gevent", "eventlet")
"""Pools of Celery that fork no workers."""


def forks(program: str, arguments: Sequence[str]) -> bool:
    """Whether a program of this kind forks its workers."""
    if program == "celery main":
        words = " ".join(arguments).replace("=", " ").split()
        return not any(word.removeprefix("-P") in _OTHER_POOLS for word in words)
    return program.endswith(" master")
