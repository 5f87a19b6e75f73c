"""The size of a message's empty sub-message is asked for again and again: each time the message's arena grows.

Reported as protocolbuffers/upb#1243 of protobuf 4.22.1.
"""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="arenas of protobuf that ByteSize leaves",
    leaks="native",
    leaking_release="protobuf==4.22.1",
    fixed_release="protobuf==4.24.4",
    source="https://github.com/protocolbuffers/upb/issues/1243",
)
_message: Any = None


def setup() -> None:
    global _message
    from google.protobuf.type_pb2 import Type

    _message = Type()


def step(i: int) -> None:
    if i % 2 == 0:
        _message.source_context.ByteSize()
