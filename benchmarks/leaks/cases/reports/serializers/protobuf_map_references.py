"""The map of a message is looked at again and again: each look costs room in the message's arena.

Reported as protocolbuffers/protobuf#14571 of 4.24. The arena grows by blocks, and so its memory
in stairs.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="arenas of protobuf that references to a map leave",
    leaks="native",
    leaking_release="protobuf==4.24.4",
    fixed_release="protobuf==4.25.1",
    source="https://github.com/protocolbuffers/protobuf/issues/14571",
)
_traffic = Traffic(35)
_settings: Any = None


def setup() -> None:
    global _settings
    from google.protobuf.struct_pb2 import Struct

    _settings = Struct()
    _settings.update({"shop": {}, "rate": 1.5})


def step(i: int) -> None:
    _traffic.tick(i)
    for _ in range(4):
        _settings.fields["shop"].struct_value.fields  # noqa: B018 - the look is what leaks
