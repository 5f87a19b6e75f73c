"""The recording ``heap_dump``: a dump into a file of the temporary folder that has no name, to be sent from there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator
from typing import BinaryIO, cast

from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import parent
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap_dump.dump import Dump
from memwatch.diagnosis.options import HeapDumpOptions

INSTEAD = "record referrers or a heap summary, which then go through the process itself in parts"
"""A dump within the process would hold it: for 0.3 s of CPU where it has the 60,000 objects of an empty program."""


class HeapDumpRecording:
    """Leaves no file behind, however the process ends."""

    needs_mb = 0.0
    """The dump itself asks for room, for a copy."""

    def __init__(self, asked: HeapDumpOptions, host: Host) -> None:
        self._asked = asked
        self._host = host
        self._dump: Dump | None = None

    @property
    def progress(self) -> dict[str, float]:
        """What has been written so far."""
        written = self._dump.written if self._dump is not None else None
        return {"objects": float(written.objects), "bytes": float(written.bytes)} if written is not None else {}

    def run(self, meter: Meter) -> Generator[float, None, BinaryIO]:
        """Yields seconds to wait; returns the file. Raises :class:`Refused` where there can be none."""
        asked = self._asked
        if reason := parent.impossible():
            raise Refused(f"no heap dump can be made: {reason}; {INSTEAD}")
        try:
            file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - handed over
        except OSError as error:
            raise Refused(f"the heap dump needs a temporary folder to write to: {error}") from None
        try:
            self._dump = Dump(file, self._host, keys=asked.keys, most_mb=asked.max_mb, any_driver=asked.any_driver)
            yield from self._dump.run(meter)
            file.flush()
            file.seek(0, os.SEEK_SET)
        except OSError as error:
            _close(file)
            raise Refused(f"the heap dump cannot be written to the temporary folder: {error.strerror}") from None
        except BaseException:
            _close(file)
            raise
        return file


def _close(file: BinaryIO) -> None:
    """Without what is not yet written: on a full disk, closing fails like the write before."""
    with contextlib.suppress(OSError):
        file.close()
