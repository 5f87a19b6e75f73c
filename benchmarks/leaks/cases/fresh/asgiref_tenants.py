"""A ``Local`` of asgiref, as Django keeps some, that is set in a task of each request.

Reported as django/asgiref#158 of 3.2.7: a weak reference to each task stays, though the task is gone.

Holder: ``_context_refs``, a list of weak references in the module's ``_tenant``.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="dead weak references of a Local",
    leaks="objects",
    culprit=("*weakref", "*ReferenceType", "*._context_refs", "*list"),
    holder=("*_context_refs*",),
    leaking_release="asgiref==3.2.7",
    fixed_release="asgiref==3.2.8",
    source="https://github.com/django/asgiref/pull/158",
)
_traffic = Traffic(302)
_loop: Any = None
_tenant: Any = None


def setup() -> None:
    global _loop, _tenant
    from asgiref.local import Local

    _loop = asyncio.new_event_loop()
    _tenant = Local()


async def _request(number: int) -> None:
    _tenant.number = number
    await asyncio.sleep(0)
    assert _tenant.number == number


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        _loop.run_until_complete(_request(i))
