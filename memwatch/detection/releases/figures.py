"""What is compared between two releases: each figure of a process once, with the difference that counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

MB, COUNT, MB_AN_HOUR, KIB_A_JOB, AN_HOUR, S_AN_HOUR = (
    "MB", "count", "MB an hour", "KiB a job", "an hour", "s an hour",
)  # fmt: skip
"""Units."""


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """One figure of a process."""

    name: str
    label: str
    unit: str
    _: dataclasses.KW_ONLY
    least: float
    """A smaller difference is none, in the figure's unit."""
    share: float
    """Nor is one that is a smaller share of the figure before."""
    help_text: str

    def counts(self, difference: float, before: float) -> bool:
        """Whether the difference is large enough to be spoken of."""
        return abs(difference) >= max(self.least, self.share * abs(before))


BIRTH, PRIVATE, HEAP, OBJECTS, BLOCKS, LATER, GROWTH, GROWTH_PER_JOB, COLLECTIONS, COLLECTING = (
    "rss_birth", "private_birth", "heap_birth", "objects_birth", "blocks_birth", "rss_later", "growth_per_hour",
    "growth_per_job", "full_collections_per_hour", "collecting_per_hour",
)  # fmt: skip

_ALL = (
    Compared(
        BIRTH, "RSS at birth", MB, least=4.0, share=0.03,
        help_text="Resident memory of a process that has warmed up: in its automatic baseline",
    ),
    Compared(
        PRIVATE, "Private memory at birth", MB, least=4.0, share=0.03,
        help_text="The part of it that no other process shares (USS)",
    ),
    Compared(
        HEAP, "Heap used at birth", MB, least=4.0, share=0.03,
        help_text="Live blocks of both allocators in the same baseline",
    ),
    Compared(
        OBJECTS, "Objects at birth", COUNT, least=2_000, share=0.03,
        help_text="Objects that the garbage collector tracks in the same baseline",
    ),
    Compared(
        BLOCKS, "Allocated blocks at birth", COUNT, least=10_000, share=0.03,
        help_text="Allocated memory blocks in the same baseline",
    ),
    Compared(
        LATER, "RSS later", MB, least=8.0, share=0.05,
        help_text="The least resident memory before the same age, or before the same number of jobs",
    ),
    Compared(
        GROWTH, "Growth", MB_AN_HOUR, least=2.0, share=0.5,
        help_text="Theil-Sen's slope of resident memory from birth to that age",
    ),
    Compared(
        GROWTH_PER_JOB, "Growth per job", KIB_A_JOB, least=1.0, share=0.5,
        help_text="The same over the requests and tasks handled",
    ),
    Compared(
        COLLECTIONS, "Full collections", AN_HOUR, least=6.0, share=0.5,
        help_text="Collections of generation 2, from birth to the last snapshot",
    ),
    Compared(
        COLLECTING, "GC time (estimate)", S_AN_HOUR, least=2.0, share=0.5,
        help_text="Time of the garbage collector in the same span, from its collections and the objects they look at",
    ),
)  # fmt: skip
COMPARED: Mapping[str, Compared] = {each.name: each for each in _ALL}
"""By name, in the order in which they are shown."""
OBJECTS_OF_A_TYPE = Compared(
    "objects", "Objects", COUNT, least=500, share=0.1, help_text="Objects of a type or of a package's types at birth"
)
