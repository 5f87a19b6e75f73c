"""What was read around a job, where it is measured or others ran within it: most jobs have no such figures."""

from __future__ import annotations


class Readings:
    """Of one job."""

    __slots__ = ("blocks", "dimmed", "inner_blocks", "inner_kib", "peak", "rss", "spent", "young")

    def __init__(self) -> None:
        self.blocks: int | None = None
        self.rss: int | None = None
        self.peak: int | None = None
        self.young: frozenset[int] | None = None
        self.inner_blocks: int | None = 0
        self.inner_kib: int | None = 0
        """What the jobs within it kept; ``None`` once one of them was not measured."""
        self.dimmed = False
        """Whether a job within it has reset the peak."""
        self.spent = 0.0
        """Seconds that the readings before it took."""

    def add_inner(self, blocks: int | None, rss: int | None, top: int | None) -> None:
        """What a job within it kept is that one's own; what it took at its peak, this one took as well."""
        self.inner_blocks = None if blocks is None or self.inner_blocks is None else self.inner_blocks + blocks
        self.inner_kib = None if rss is None or self.inner_kib is None else self.inner_kib + rss
        if self.peak is not None and top is not None:
            self.peak = max(self.peak, top)

    def own_blocks(self, blocks: int | None) -> int | None:
        """Without what the jobs within it kept."""
        return None if blocks is None or self.inner_blocks is None else blocks - self.inner_blocks

    def own_kib(self, rss: int | None) -> int | None:
        """The same of resident memory."""
        return None if rss is None or self.inner_kib is None else rss - self.inner_kib
