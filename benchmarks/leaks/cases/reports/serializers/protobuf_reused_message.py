"""One message object into which each payload is parsed: its arena gives nothing back while the object lives.

Reported as protocolbuffers/protobuf#24257; intended, the maintainers say. For this process it is a leak.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="payloads parsed into one protobuf message",
    leaks="native",
    requires=("protobuf==6.33.0",),
    source="https://github.com/protocolbuffers/protobuf/issues/24257",
)
_traffic = Traffic(15)
_message: Any = None
_payloads: list[bytes] = []


def setup() -> None:
    global _message
    from google.protobuf.struct_pb2 import Struct

    for number in range(20):
        order = Struct()
        order.update({"number": number, "name": f"customer {number}", "lines": [1, 2, 3]})
        _payloads.append(order.SerializeToString())
    _message = Struct()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _message.ParseFromString(_payloads[i // 20 % 20])
