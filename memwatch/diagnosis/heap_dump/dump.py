"""Making a heap dump: a copy of the process sends sections, the process packs and writes them."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from memwatch import __version__
from memwatch.diagnosis import frames
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import parent
from memwatch.diagnosis.copy.child import Send
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap_dump import compiled, destructors, native, packing, roots, walk
from memwatch.heapdump.format import COUNT, HeapDumpError, Section
from memwatch.heapdump.writer import Emit, Packer, Rows
from memwatch.sampling.procmem import ProcessMemory, read_bytes
from memwatch.sampling.type_names import clean

MOST_OBJECTS = 40_000_000
LONGEST_S = 180.0
"""Seconds of CPU that the copy may take."""
OWN_MB, OF_HEAP, MOST_OF_HEAP = 64.0, (1.25 if compiled.module is None else 0.25), 1.25
"""What the copy comes to own. In Python it counts a reference to nearly every object, so that each page of the heap is
copied. Compiled it does not: measured 44 MB of 41 (a heap of 0.1 million objects), 56 of 180 (1 million), 85 of 686 (5
million). But where the program's collector goes through its heap in that time, the program gets new
pages and the copy is left with the old ones, up to the whole heap.
"""
_DRIVERS = (b"libcuda.so", b"libamdhip64.so")


@dataclasses.dataclass(slots=True)
class Written:
    """How far a dump is."""

    objects: int = 0
    bytes: int = 0
    complete: bool = False
    seconds: float = 0.0
    """That the copy worked for."""
    attempts: int = 0


class Dump:
    """One heap dump of this process into a file, which is written from its beginning."""

    def __init__(
        self, file: BinaryIO, host: Host, *, keys: bool, most_mb: float, any_driver: bool, service: str = ""
    ) -> None:
        self.written = Written()
        self._file = file
        self._host = host
        self._keys = keys
        self._most_mb = most_mb
        self._any_driver = any_driver
        self._service = service

    def run(self, meter: Meter) -> Generator[float, None, Written]:
        """Yields seconds to wait. Raises :class:`Refused` with a sentence where no dump can be made.

        An :class:`OSError` is one of the file's.
        """
        if reason := parent.impossible():
            raise Refused(f"no heap dump can be made: {reason}")
        if not self._any_driver and (driver := foreign_driver()):
            raise Refused(
                f"no heap dump is made: the process has loaded {driver}, and a copy of such a process may crash; "
                "allow it with the option any_driver"
            )
        fields = self._header()
        rss_mb = ProcessMemory().resident().rss_mb or 0.0
        try:
            answer = yield from parent.streamed(
                lambda send: _in_copy(send, fields, keys=self._keys),
                self._host,
                meter,
                self._begin,
                needs_mb=OWN_MB + OF_HEAP * rss_mb,
                most_mb=OWN_MB + MOST_OF_HEAP * rss_mb,
                longest_s=LONGEST_S,
            )
        except parent.NotForked as error:
            raise Refused(f"no heap dump could be made: {error}") from None
        found = json.loads(answer)
        self.written.complete, self.written.seconds = found["complete"], found["seconds"]
        return self.written

    def _begin(self) -> Send:
        if self.written.attempts:
            self._file.seek(0)
            self._file.truncate()
        self.written.objects, self.written.attempts = 0, self.written.attempts + 1
        packer = None if packing.library() is not None else Packer(self._file.write)
        self._file.flush()  # here and below: else a process that the host forks now writes the rest once more
        self.written.bytes = 0

        def take(part: bytes) -> None:
            section, content = Section(part[:1]), part[1 + COUNT.size :]
            if section is Section.OBJECTS:
                self.written.objects += COUNT.unpack_from(part, 1)[0]
            if packer is None:
                self._file.write(content)
                self.written.bytes += len(content)
            else:
                packer(section, content)
                self.written.bytes = packer.bytes
            self._file.flush()
            if self.written.bytes > self._most_mb * 1024 * 1024:
                raise Refused(
                    f"the heap dump has more than {self._most_mb:,.0f} MB after {self.written.objects:,} objects: "
                    "allow more with the option max_mb"
                )

        return take

    def _header(self) -> dict[str, Any]:
        return {
            "at": round(time.time(), 3),
            "pid": os.getpid(),
            "host": clean(platform.node()),
            "service": clean(self._service),
            "program": clean(self._host.program),
            "python": platform.python_version(),
            "memwatch": __version__,
            "rss_mb": round(ProcessMemory().resident().rss_mb or 0.0, 1),
            "keys": self._keys,
        }


def _in_copy(send: Send, fields: Mapping[str, Any], *, keys: bool) -> bytes:
    """All that the copy does."""
    is_compiled = compiled.module is not None
    addresses, objects = native.addresses() if is_compiled else (b"", walk.tracked())
    destructors.kept.append(objects)
    began = time.perf_counter()
    rows = Rows(_sending(send))
    rows.header(**fields)
    running = list(frames.running(roots.MOST_FRAMES))
    roots.write(rows, running)
    walking = (
        native.NativeWalk(rows, addresses, keys=keys, most=MOST_OBJECTS)
        if is_compiled
        else walk.Walk(rows, keys=keys, most=MOST_OBJECTS)
    )
    destructors.disarm(walking.kind)
    walking.all(objects, [frame for frame, _thread in running])
    seconds = time.perf_counter() - began
    rows.end(complete=walking.complete, seconds=seconds)
    return json.dumps({"complete": walking.complete and rows.whole, "seconds": round(seconds, 3)}).encode()


def _sending(send: Send) -> Emit:
    """Sends sections: the letter, the number of rows, and what stands in the file, or is to be packed for it."""
    found = packing.library()
    if found is None:
        return lambda section, content: send(section.value + content[: COUNT.size] + content)
    head = [Section.HEADER.value + COUNT.pack(0)]
    packer = Packer(lambda part: send(head[-1] + part), found.packed)

    def emit(section: Section, content: bytes) -> None:
        head[-1] = section.value + content[: COUNT.size]
        packer(section, content)

    return emit


def foreign_driver() -> str:
    """What is loaded that is known not to bear a copy of its process; empty where nothing is."""
    maps = read_bytes("/proc/self/maps", 8 * 1024 * 1024) or b""
    for driver in _DRIVERS:
        if driver in maps:
            return driver.decode()
    return "gRPC" if "grpc._cython.cygrpc" in sys.modules else ""


def dump_heap(
    path: str | os.PathLike[str], *, keys: bool = False, max_mb: float = 1024, any_driver: bool = False
) -> Written:
    """Write a heap dump of this process to ``path``: every object with its type, size and references, no contents.

    A forked copy of the process does the work, so that the process itself only pauses for the fork, some 4 ms for
    100 MB. ``keys``: also names keys of dicts that are short identifiers. ``max_mb``: the largest file. ``any_driver``:
    also where CUDA or gRPC is loaded. Needs room for 64 MB and a quarter of what the process has; without the compiled
    part, for 1.25 times what it has.

    Raises :class:`HeapDumpError` where no dump can be made; the text says why. Then no file is left.
    """
    target = os.fspath(path)
    part = f"{target}.part"
    try:
        Path(part).unlink(missing_ok=True)  # of a dump that was cut off, or of somebody who wants to read this one
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                steps = Dump(file, Host(), keys=keys, most_mb=max_mb, any_driver=any_driver).run(Meter())
                written = _to_the_end(steps)
            Path(part).replace(target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except Refused as refused:
        raise HeapDumpError(str(refused)) from None
    except OSError as error:
        raise HeapDumpError(f"the heap dump cannot be written to {target}: {error.strerror or error}") from error
    return written


def _to_the_end(steps: Generator[float, None, Written]) -> Written:
    try:
        while True:
            time.sleep(next(steps))
    except StopIteration as end:
        found: Written = end.value
        return found
    finally:
        steps.close()
