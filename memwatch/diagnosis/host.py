"""What a recording must know of the process that it runs in, and how it says no."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from memwatch.figures import BigContainer


class Refused(Exception):  # noqa: N818 - an answer more than an error
    """A recording that cannot be made, or not be brought to an end; the text says why and what to do."""


def _nothing() -> None:
    return None


def _yes() -> bool:
    return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Host:
    """The circumstances; the agent knows them."""

    program: str = ""
    """As :func:`memwatch.sampling.program.guess_program` calls it."""
    arguments: tuple[str, ...] = ()
    heap_limit_mb: float | None = None
    """The setting, where it is set; it then stands for the limit."""
    baseline: Callable[[], Mapping[str, int] | None] = _nothing
    """Count by type name at the agent's baseline."""
    containers: Callable[[], tuple[BigContainer, ...] | None] = _nothing
    """The big containers of the agent's last look, the fastest growing first."""
    requests_handled: Callable[[], int | None] = _nothing
    collects: Callable[[], bool] = _yes
    """Whether the host itself has the garbage collector on."""
