"""A profile of memory: stacks, and how many objects and bytes each of them accounts for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

MAX_STACKS = 100_000
"""The smallest of more stacks are added up in one."""
MAX_FRAMES = 500
MAX_TEXT = 300
OTHER = "(other stacks)"


class Frame(NamedTuple):
    """A line of code, or a name that stands for something else: a type, an object."""

    function: str
    file: str = ""
    line: int = 0
    """0 where there is none."""

    @property
    def text(self) -> str:
        """``function (file:line)``, without what would break a line of collapsed stacks."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{self.function} ({place})" if place not in ("", self.function) else self.function
        return "".join(char if char.isprintable() else "?" for char in text.replace(";", ":"))


Stack = tuple[Frame, ...]
"""The outermost frame first."""


class Sample(NamedTuple):
    """One stack."""

    stack: Stack
    objects: int
    """Blocks of memory, or objects."""
    size: int
    """Bytes."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What was alive, by stack."""

    samples: tuple[Sample, ...]
    name: str = "memory"
    """What it is of, e.g. the recording."""
    time_s: float = 0.0
    """When it ended, in seconds since 1970; 0 where that is not known."""
    duration_s: float = 0.0
    comments: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(sample.size for sample in self.samples)


def added_up(samples: Iterable[Sample], most: int = MAX_STACKS) -> tuple[Sample, ...]:
    """Each stack once, the largest first. What is over the limits is cut off or added up, never lost."""
    sums: dict[Stack, list[int]] = {}
    for stack, count, size in samples:
        entry = sums.setdefault(_bounded(stack), [0, 0])
        entry[0] += count
        entry[1] += size
    found = sorted(
        (Sample(stack, count, size) for stack, (count, size) in sums.items()), key=lambda each: (-each.size, each.stack)
    )
    rest = found[most:]
    if rest:
        others = Sample((Frame(OTHER),), sum(each.objects for each in rest), sum(each.size for each in rest))
        found[most:] = [others]
    return tuple(found)


def _bounded(stack: Stack) -> Stack:
    return tuple(
        Frame(frame.function[:MAX_TEXT] or "(unknown)", frame.file[:MAX_TEXT], max(0, frame.line))
        for frame in stack[-MAX_FRAMES:]
    )
