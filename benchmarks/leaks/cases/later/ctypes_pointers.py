"""Messages of a device, each read through a pointer to a record that is as long as the message.

Reported as python/cpython#100926: the type of every pointer is kept. Since CPython 3.14
the record's type keeps it, and both go.

Holder: ``ctypes._pointer_type_cache``, a dict of types.
"""

import ctypes

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="types of pointers to records of ctypes",
    leaks="objects",
    culprit=("*PyCPointerType", "*PyCStructType", "*._pointer_type_cache", "_ctypes.*"),
    holder=("*_pointer_type_cache",),
    source="https://github.com/python/cpython/issues/100926",
)
_traffic = Traffic(207)


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 60 == 0:
        size = 8 + i % 40

        class Message(ctypes.Structure):
            """As it comes from the device."""

            _fields_ = (("length", ctypes.c_uint16), ("data", ctypes.c_ubyte * size))

        raw = ctypes.create_string_buffer(bytes(ctypes.sizeof(Message)))
        assert ctypes.cast(raw, ctypes.POINTER(Message)).contents.length == 0
