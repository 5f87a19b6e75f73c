"""pprof's format: the message ``Profile`` of its ``profile.proto`` in protobuf's wire format, gzipped.

The message is small, so it is written here: no package is needed where profiles are made.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable

from memwatch.profiles.profile import Frame, Profile

COUNT, SIZE = ("inuse_objects", "count"), ("inuse_space", "bytes")
"""Type and unit of the two values of a sample, as Go's heap profiles name them: every reader of pprof knows these."""
MAX_INT = 2**63 - 1


def dumps(profile: Profile) -> bytes:
    """The profile as a file that ``go tool pprof`` opens."""
    texts, functions, locations = {"": 0}, dict[tuple[str, str], int](), dict[Frame, int]()

    def text(value: str) -> int:
        return texts.setdefault(value, len(texts))

    def value_type(pair: tuple[str, str]) -> bytes:
        return _number(1, text(pair[0])) + _number(2, text(pair[1]))

    message = [_bytes(1, value_type(pair)) for pair in (COUNT, SIZE)]
    for sample in profile.samples:
        ids = [locations.setdefault(frame, len(locations) + 1) for frame in reversed(sample.stack)]
        message.append(_bytes(2, _packed(1, ids) + _packed(2, (sample.objects, sample.size))))
    # One mapping that has all names: readers then look for no program to read them from.
    message.append(_bytes(3, _number(1, 1) + _number(5, text("python")) + b"".join(_number(n, 1) for n in (7, 8, 9))))
    for frame, number in locations.items():
        function = functions.setdefault((frame.function, frame.file), len(functions) + 1)
        line = _number(1, function) + _number(2, frame.line)
        message.append(_bytes(4, _number(1, number) + _number(2, 1) + _bytes(4, line)))
    for (name, file), number in functions.items():
        names = _number(2, text(name)) + _number(3, text(name)) + _number(4, text(file))
        message.append(_bytes(5, _number(1, number) + names))
    message += [_number(9, int(profile.time_s * 1e9)), _number(10, int(profile.duration_s * 1e9))]
    message += [_bytes(11, value_type(("space", "bytes"))), _number(12, 1)]
    message += [_number(13, text(comment), always=True) for comment in profile.comments]
    message.append(_number(14, text(SIZE[0])))
    message += [_bytes(6, value.encode("utf-8", "backslashreplace")) for value in texts]
    return gzip.compress(b"".join(message), mtime=0)


def _varint(value: int) -> bytes:
    left, parts = min(max(0, value), MAX_INT), bytearray()
    while left > 0x7F:
        parts.append(left & 0x7F | 0x80)
        left >>= 7
    parts.append(left)
    return bytes(parts)


def _number(field: int, value: int, *, always: bool = False) -> bytes:
    """Empty for 0, the default."""
    return _varint(field << 3) + _varint(value) if value or always else b""


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _bytes(field, b"".join(map(_varint, values)))
