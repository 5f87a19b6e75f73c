"""A payment gateway that was replaced by a ``MagicMock`` on a test system, which then ran for weeks.

Reported as python/cpython#106823: a mock records each call, and whatever was handed to it.

Holder: ``_gateway.mock_calls`` (and those of ``pay``), lists of calls.
"""

from unittest import mock

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="calls that a mock recorded",
    leaks="objects",
    culprit=("unittest.mock.*", "*_Call", "*_CallList", "*mock_calls"),
    holder=("*mock_calls*", "*_gateway*"),
    source="https://github.com/python/cpython/issues/106823",
)
_traffic = Traffic(210)
_gateway = mock.MagicMock(name="gateway")


def setup() -> None:
    _gateway.pay.return_value = "paid"


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        assert _gateway.pay(i, amount={"EUR": i % 90}) == "paid"
