"""Look-ups in a map."""

from google.protobuf import struct_pb2

message = struct_pb2.Struct()
message.update({"a": 1})


def call():
    message.fields["a"]
    "b" in message.fields
    message.fields.get("c" * 300)
