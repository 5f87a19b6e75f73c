"""How the outcome of a recording travels: one artifact, compressed, in parts of which each fits into a report.

Parts may arrive more than once and in any order; when all are there, :func:`join` gives the artifact back.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import os
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO

from memwatch.records import traces
from memwatch.transport import schema
from memwatch.transport.schema import WireError

MAX_PART_BYTES = 192 * 1024
"""Bytes of the compressed artifact in one part."""
MAX_PARTS = 128
MAX_ARTIFACT_BYTES = 64 * 1024 * 1024
"""Before compression: what unpacks to more is refused, so that a small message cannot fill the server's memory."""
MAX_JSON_BYTES = 4 * 1024 * 1024
"""Most bytes of unpacked JSON: Python's objects take up to fifty times as much as their text."""

STATES = ("running", "done", "failed", "cancelled")
JSON, MEMRAY, HEAP_DUMP = "application/json", "application/x-memray", "application/x-memwatch-heap"
MAX_DUMP_BYTES = 128 * 1024 * 1024
"""Of a heap dump, which is packed in itself."""
MAX_DUMP_PARTS = -(-MAX_DUMP_BYTES // MAX_PART_BYTES)

_MAX_CONTENT = (MAX_PART_BYTES + 2) // 3 * 4
_MAX_MEASURED = 50
_ID = re.compile(r"[0-9a-f]{16}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RecordingPart:
    """News of a recording: that it runs, that it failed or was cancelled, or a part of what it has found."""

    recording: str
    """Its id, 16 hexadecimal digits, as the command gave it."""
    state: str
    """``running``, ``done``, ``failed`` or ``cancelled``."""
    part: int = 0
    parts: int = 1
    """``part`` counts from 0 to ``parts - 1``."""
    content: str = ""
    """Base64 of this part of the compressed artifact; empty unless ``done``."""
    content_type: str = ""
    """``application/json``, ``application/x-memray`` or ``application/x-memwatch-heap``."""
    error: str = ""
    """What went wrong and what to do, for ``failed`` and ``cancelled``."""
    measured: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """What it cost, with the last part: ``duration_s``, ``cpu_ms``, ``longest_pause_ms``, ``rss_added_mb``, ``bytes``.

    ``bytes`` is the size of the artifact before compression.
    """

    traces: tuple[str, ...] = ()
    """The spans of the jobs that ran when it began and when it ended, as :mod:`memwatch.records.traces` writes them."""

    def to_wire(self) -> dict[str, Any]:
        """JSON-ready; the inverse of :func:`decode_part`."""
        small = {"recording": self.recording, "state": self.state, "content_type": self.content_type}
        return {
            **schema.sendable({**small, "error": self.error, "measured": self.measured}),
            "part": self.part,
            "parts": self.parts,
            "content": self.content,
            **({"traces": list(self.traces)} if self.traces else {}),
        }


def is_recording_id(value: object) -> bool:
    """Whether it is what a recording is called: 16 lower-case hexadecimal digits."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def decode_part(value: Any) -> RecordingPart:
    """Check and build; :class:`WireError` for what no agent would say."""
    found = schema.mapping("recordings", value)
    if not is_recording_id(found["recording"]):
        raise WireError("malformed", "recording: 16 hexadecimal digits are wanted")
    state = schema.text("state", found["state"])
    if state not in STATES:
        raise WireError("malformed", f"recording: the state is {state!r}, one of {', '.join(STATES)} is wanted")
    content_type = schema.text("content_type", found.get("content_type"), limit=100, default="")
    most = MAX_DUMP_PARTS if content_type == HEAP_DUMP else MAX_PARTS
    parts = schema.whole("parts", found.get("parts", 1), high=most)
    part = schema.whole("part", found.get("part", 0), high=most)
    if part >= parts:
        raise WireError("malformed", f"recording: part {part} of {parts}, they are counted from 0")
    return RecordingPart(
        recording=found["recording"],
        state=state,
        part=part,
        parts=parts,
        content=_content(found.get("content", "")),
        content_type=content_type,
        error=schema.text("error", found.get("error"), default=""),
        measured=_measured(found.get("measured") or {}),
        traces=tuple(traces.joined([], found.get("traces"))),
    )


def _content(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_CONTENT or _BASE64.fullmatch(value) is None:
        raise WireError("malformed", f"content: base64 of at most {MAX_PART_BYTES} bytes is wanted")
    return value


def _measured(value: object) -> dict[str, float]:
    found = schema.mapping("measured", value)
    if len(found) > _MAX_MEASURED:
        raise WireError("malformed", f"measured: at most {_MAX_MEASURED} figures are wanted")
    return {
        schema.text("measured", name): schema.signed(f"measured[{name[:40]}]", item) for name, item in found.items()
    }


def split(
    recording: str, artifact: bytes, *, content_type: str, measured: Mapping[str, float]
) -> tuple[RecordingPart, ...]:
    """The parts of a finished recording; ``measured`` goes with the last, and ``bytes`` is added to it.

    Raises :class:`ValueError` for an artifact that does not fit into ``MAX_PARTS`` parts.
    """
    packed = zlib.compress(artifact, 6)
    parts = max(1, -(-len(packed) // MAX_PART_BYTES))
    if parts > MAX_PARTS or len(artifact) > (MAX_JSON_BYTES if content_type == JSON else MAX_ARTIFACT_BYTES):
        raise ValueError(
            f"the result has {len(artifact):,} bytes ({len(packed):,} compressed), more than can be sent: "
            "record for a shorter time"
        )
    return tuple(
        RecordingPart(
            recording=recording,
            state="done",
            part=part,
            parts=parts,
            content=base64.b64encode(packed[part * MAX_PART_BYTES : (part + 1) * MAX_PART_BYTES]).decode(),
            content_type=content_type,
            measured={**measured, "bytes": float(len(artifact))} if part == parts - 1 else {},
        )
        for part in range(parts)
    )


def split_dump(recording: str, file: BinaryIO, *, measured: Mapping[str, float]) -> Iterator[RecordingPart]:
    """The parts of a heap dump, read from its file as they are wanted, and sent as they are: the file is packed.

    Raises :class:`ValueError` for one that is empty or larger than may be sent.
    """
    size = file.seek(0, os.SEEK_END)
    if not 0 < size <= MAX_DUMP_BYTES:
        raise ValueError(f"the heap dump has {size:,} bytes: from 1 to {MAX_DUMP_BYTES:,} can be sent")
    parts = -(-size // MAX_PART_BYTES)
    for part in range(parts):
        file.seek(part * MAX_PART_BYTES)
        yield RecordingPart(
            recording=recording,
            state="done",
            part=part,
            parts=parts,
            content=base64.b64encode(file.read(MAX_PART_BYTES)).decode(),
            content_type=HEAP_DUMP,
            measured={**measured, "bytes": float(size)} if part == parts - 1 else {},
        )


def join(parts: Collection[RecordingPart]) -> bytes | None:
    """The artifact, or ``None`` while a part is missing. Repeated parts do no harm.

    Raises :class:`WireError` where the parts do not belong together or hold no artifact.
    """
    by_number = {part.part: part for part in parts}
    if not by_number or len({(part.recording, part.parts, part.content_type) for part in parts}) != 1:
        raise WireError("malformed", "recording: these are not the parts of one recording")
    if len(by_number) < next(iter(parts)).parts:
        return None
    unpacker = zlib.decompressobj()
    try:
        packed = b"".join(base64.b64decode(by_number[number].content, validate=True) for number in sorted(by_number))
        artifact = unpacker.decompress(packed, MAX_ARTIFACT_BYTES + 1)
    except (binascii.Error, zlib.error) as error:
        raise WireError("malformed", f"recording: the parts cannot be unpacked: {error}") from None
    if len(artifact) > MAX_ARTIFACT_BYTES or not unpacker.eof:
        raise WireError("malformed", f"recording: more than {MAX_ARTIFACT_BYTES} bytes, or cut short")
    return artifact
