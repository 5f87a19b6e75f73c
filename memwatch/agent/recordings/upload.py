"""A heap dump on its way to the server: some parts at a time, from its file, so that it takes no memory to wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import BinaryIO

from memwatch.transport.recordings import MAX_PART_BYTES, RecordingPart, split_dump

AT_ONCE = 4
"""Parts that wait to be sent."""
EACH_S = 0.2
"""Between two takes: at most some 4 MB a second, so that the transport has room for the reports of others."""
assert AT_ONCE * MAX_PART_BYTES < 1 << 20  # noqa: S101 - of constants


class Upload:
    """Used by the agent's thread alone."""

    def __init__(self, recording: str, file: BinaryIO, measured: Mapping[str, float]) -> None:
        self._file = file
        self._parts = split_dump(recording, file, measured=measured)
        self._next = time.monotonic()
        self.done = False

    @property
    def next_at(self) -> float:
        """When :meth:`take` wants to be called (monotonic seconds)."""
        return self._next

    def take(self, *, waiting: int) -> list[RecordingPart]:
        """The next parts; none while many of those before wait. Raises :class:`ValueError`, and what the file does."""
        self._next = time.monotonic() + EACH_S
        found: list[RecordingPart] = []
        while len(found) + waiting < AT_ONCE:
            part = next(self._parts, None)
            if part is None:
                self.done = True
                break
            found.append(part)
        return found

    def close(self) -> None:
        """Its file goes with it."""
        self._file.close()
