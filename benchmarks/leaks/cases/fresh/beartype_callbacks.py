"""A callback that is defined, and checked by beartype, in each call of a function that needs it.

Reported as beartype/beartype#673 of 0.22.9: whether an object is to be left alone is remembered by the object.

Holder: a dict in a cell of the closure that memoises ``is_object_blacklisted``.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="callbacks that beartype remembers",
    leaks="objects",
    culprit=("*function", "*cell", "*is_object_blacklisted*", "*callable_cached*", "*args_flat_to_*"),
    holder=("*is_object_blacklisted*", "*callable_cached*", "*args_flat_to_return_value*"),
    requires=("beartype==0.22.9",),
    source="https://github.com/beartype/beartype/issues/673",
)
_traffic = Traffic(307)
_beartype: Any = None


def setup() -> None:
    global _beartype
    from beartype import beartype

    _beartype = beartype


def _discount(percent: int) -> Callable[[int], int]:
    def reduced(price: int) -> int:
        return price * (100 - percent) // 100

    checked: Callable[[int], int] = _beartype(reduced)
    return checked


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 80 == 0:
        assert _discount(i % 50)(200) == 2 * (100 - i % 50)
