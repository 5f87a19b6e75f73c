"""What a copy of the process is asked about a type, and what one look leaves for the next."""

from __future__ import annotations

import dataclasses
import json
from array import array
from collections.abc import Mapping
from typing import Any

from memwatch.records import BigContainer

DEPTH = 16
"""Levels to climb, unless fewer are asked for."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one look leaves for the next: where the instances were, and how long the containers above them."""

    count: int
    ids: array[int]
    lengths: Mapping[int, tuple[str, int]]
    """Type and entries by id."""
    blocks: int | None = None
    """Allocated blocks of the process."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of one look."""

    type: str
    samples: int
    """Instances that are traced."""
    depth: int = DEPTH
    values: int = 0
    """Instances whose values are shown."""
    at_baseline: int | None = None
    """Instances at the agent's baseline."""
    container: BigContainer | None = None
    """In place of a type's instances: the container with this id, or this name."""
    any_container: bool = False
    """In place of a type's instances: the container that grows most between two looks."""
    before: Look | None = None
    count_garbage: bool = True
    """Whether the copy may come to own all pages of the heap, as it does where it counts every reference."""
    least_new: int = 0
    """With fewer objects that came since the look before, there is no answer but that these were too few."""
    only_remember: bool = False
    """The first of two looks: what it leaves is wanted, no more."""

    @property
    def of_container(self) -> bool:
        """Whether it is about a container, and not about a type."""
        return self.container is not None or self.any_container


def first_of_two(question: Question) -> Question:
    """It leaves what the second compares with; the youngest objects are traced."""
    return dataclasses.replace(question, only_remember=True, values=0)


def second_of_two(question: Question, before: Look) -> Question:
    """It answers."""
    return dataclasses.replace(question, before=before)


def parse(content: bytes) -> tuple[dict[str, Any], Look]:
    """The same, back in the process."""
    line, _, rest = content.partition(b"\n")
    found = json.loads(line)
    ids = array("Q")
    ids.frombytes(rest)
    lengths = {int(key): (str(kind), int(length)) for key, kind, length in found.pop("lengths")}
    return found, Look(count=int(found["instances"]), ids=ids, lengths=lengths, blocks=int(found.pop("blocks")))
