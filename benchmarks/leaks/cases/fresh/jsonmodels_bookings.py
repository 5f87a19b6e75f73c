"""A model of jsonmodels for each booking that comes in.

Reported as jazzband/jsonmodels#64 of 2.1.1: the class's fields keep the values by instance.

Holder: ``_memory`` of each field of the class, a dict by instance.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="models in the memory of their fields",
    leaks="objects",
    culprit=("*Booking", "*._memory", "*StringField", "*IntField"),
    holder=("*_memory*", "*Booking.guest", "*Booking.nights"),
    leaking_release="jsonmodels==2.1.1",
    fixed_release="jsonmodels==2.1.2",
    source="https://github.com/jazzband/jsonmodels/issues/64",
)
_traffic = Traffic(304)
_Booking: Any = None


def setup() -> None:
    global _Booking
    from jsonmodels.fields import IntField, StringField
    from jsonmodels.models import Base

    class Booking(Base):
        """Of a room."""

        guest = StringField(required=True)
        nights = IntField()

    _Booking = Booking


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        assert _Booking(guest=f"guest {i}", nights=i % 9).to_struct()["nights"] == i % 9
