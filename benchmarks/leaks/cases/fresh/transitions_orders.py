"""A state machine of ``transitions`` for asyncio, with a model for each order.

Reported as pytransitions/transitions#475 of 0.8.3: the class remembers the last task of each model for ever.

Holder: ``AsyncMachine.async_tasks``, a dict of the class, by model.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="models of an asyncio state machine",
    leaks="objects",
    culprit=("*Order", "*.async_tasks", "*AsyncMachine*", "*partial", "*Task"),
    holder=("*async_tasks*",),
    leaking_release="transitions==0.8.3",
    fixed_release="transitions==0.8.4",
    source="https://github.com/pytransitions/transitions/issues/475",
)
_traffic = Traffic(301)
_loop: Any = None
_machine: Any = None


class Order:
    """What a customer asked for; the machine gives it a state and the triggers."""

    state: str
    trigger: Any


def setup() -> None:
    global _loop, _machine
    from transitions.extensions.asyncio import AsyncMachine

    _loop = asyncio.new_event_loop()
    _machine = AsyncMachine(
        model=None, states=["asked", "sent"], initial="asked", auto_transitions=False, send_event=True
    )
    _machine.add_transition("send", "asked", "sent")


async def _send(order: Order) -> None:
    await order.trigger("send")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        order = Order()
        _machine.add_model(order)
        _loop.run_until_complete(_send(order))
        assert order.state == "sent"
        _machine.remove_model(order)
