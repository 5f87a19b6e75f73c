"""Reads pprof's files as its ``profile.proto`` defines them, with the official package for protobuf."""

from __future__ import annotations

import gzip
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_INT64, _UINT64, _BOOL, _STRING, _MESSAGE = 3, 4, 8, 9, 11
_MESSAGES: dict[str, list[tuple[str, int, int, str]]] = {
    "ValueType": [("type", 1, _INT64, ""), ("unit", 2, _INT64, "")],
    "Label": [("key", 1, _INT64, ""), ("str", 2, _INT64, ""), ("num", 3, _INT64, ""), ("num_unit", 4, _INT64, "")],
    "Sample": [("location_id", 1, _UINT64, "*"), ("value", 2, _INT64, "*"), ("label", 3, _MESSAGE, "*Label")],
    "Mapping": [
        ("id", 1, _UINT64, ""), ("memory_start", 2, _UINT64, ""), ("memory_limit", 3, _UINT64, ""),
        ("file_offset", 4, _UINT64, ""), ("filename", 5, _INT64, ""), ("build_id", 6, _INT64, ""),
        ("has_functions", 7, _BOOL, ""), ("has_filenames", 8, _BOOL, ""), ("has_line_numbers", 9, _BOOL, ""),
        ("has_inline_frames", 10, _BOOL, ""),
    ],
    "Line": [("function_id", 1, _UINT64, ""), ("line", 2, _INT64, ""), ("column", 3, _INT64, "")],
    "Location": [
        ("id", 1, _UINT64, ""), ("mapping_id", 2, _UINT64, ""), ("address", 3, _UINT64, ""),
        ("line", 4, _MESSAGE, "*Line"), ("is_folded", 5, _BOOL, ""),
    ],
    "Function": [
        ("id", 1, _UINT64, ""), ("name", 2, _INT64, ""), ("system_name", 3, _INT64, ""), ("filename", 4, _INT64, ""),
        ("start_line", 5, _INT64, ""),
    ],
    "Profile": [
        ("sample_type", 1, _MESSAGE, "*ValueType"), ("sample", 2, _MESSAGE, "*Sample"),
        ("mapping", 3, _MESSAGE, "*Mapping"), ("location", 4, _MESSAGE, "*Location"),
        ("function", 5, _MESSAGE, "*Function"), ("string_table", 6, _STRING, "*"), ("drop_frames", 7, _INT64, ""),
        ("keep_frames", 8, _INT64, ""), ("time_nanos", 9, _INT64, ""), ("duration_nanos", 10, _INT64, ""),
        ("period_type", 11, _MESSAGE, "ValueType"), ("period", 12, _INT64, ""), ("comment", 13, _INT64, "*"),
        ("default_sample_type", 14, _INT64, ""),
    ],
}  # fmt: skip
"""Name, number and type of each field; ``*`` for a repeated one, then the name of its message."""


def _profile_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="perftools.profiles", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of in fields:
            added = message.field.add(name=field, number=number, type=kind, label=3 if of.startswith("*") else 1)
            if kind == _MESSAGE:
                added.type_name = f".perftools.profiles.{of.removeprefix('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("perftools.profiles.Profile"))


PROFILE = _profile_class()


class Row(NamedTuple):
    """A sample: its stack, the outermost frame first, as ``(function, file, line)``."""

    stack: tuple[tuple[str, str, int], ...]
    values: dict[str, int]


def parsed(content: bytes) -> Any:
    """The message. Nothing in it is unknown to the definition."""
    message = PROFILE()
    message.ParseFromString(gzip.decompress(content))
    kept = message.SerializeToString()
    message.DiscardUnknownFields()
    assert message.SerializeToString() == kept
    return message


def samples(content: bytes) -> list[Row]:
    """The samples with their names looked up."""
    profile = parsed(content)
    texts = profile.string_table
    types = [texts[each.type] for each in profile.sample_type]
    functions = {each.id: each for each in profile.function}
    locations = {each.id: each for each in profile.location}

    def frame(number: int) -> tuple[str, str, int]:
        (line,) = locations[number].line
        function = functions[line.function_id]
        return texts[function.name], texts[function.filename], line.line

    return [
        Row(tuple(frame(each) for each in reversed(row.location_id)), dict(zip(types, row.value, strict=True)))
        for row in profile.sample
    ]


def total(content: bytes, value: str = "inuse_space") -> int:
    """Of one of its values."""
    return sum(row.values[value] for row in samples(content))
