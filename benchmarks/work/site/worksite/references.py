"""More ways to leak, for the second scoring half: chains, templates, waiting tasks, nested registries, receivers."""

import asyncio
import collections
import dataclasses
import decimal
import io
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.dispatch import Signal

EXPORTS: collections.deque[io.BytesIO] = collections.deque()
TEMPLATES: dict[str, Any] = {}
WAITING: set[Any] = set()
WORKFLOWS: list[Any] = []
changed = Signal()
_ACCOUNTS = 40
_number = itertools.count()


class Revision:
    """It holds the one before it."""

    def __init__(self, before: "Revision | None") -> None:
        self.number, self.lines, self.before = next(_number), [1, 2, 3], before


class History:
    """Knows the last revision only."""

    last: Revision | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Posting:
    """A movement of an account."""

    number: int
    amount: decimal.Decimal
    at: datetime


LEDGER: collections.defaultdict[str, dict[int, Posting]] = collections.defaultdict(dict)


def _chain(_request: object, _rows: list[Any]) -> None:
    History.last = Revision(History.last)


def _templates(_request: object, _rows: list[Any]) -> None:
    from django.template import engines

    text = f"Dear {{{{ student.name }}}}, your number is {next(_number)}."
    TEMPLATES[text] = engines["django"].from_string(text)


def _waiting(_request: object, _rows: list[Any]) -> None:
    from asgiref.sync import async_to_sync

    async def begin() -> None:
        WAITING.add(asyncio.create_task(asyncio.Event().wait()))

    async_to_sync(begin)()  # in the loop of the server


def _ledger(_request: object, _rows: list[Any]) -> None:
    number = next(_number)
    posting = Posting(number, decimal.Decimal(number) / 100, datetime.now(tz=UTC))
    LEDGER[f"account {number % _ACCOUNTS}"][number] = posting


def _workflows(_request: object, _rows: list[Any]) -> None:
    from celery import signature

    WORKFLOWS.append(signature("stats.hourly", args=(next(_number),)))


def _exports(_request: object, _rows: list[Any]) -> None:
    export = io.BytesIO()
    export.write(b"%d;" % next(_number) * 40)
    EXPORTS.append(export)


def _subscriptions(_request: object, _rows: list[Any]) -> None:
    subscriber = next(_number)

    def receive(**_: object) -> int:
        return subscriber

    changed.connect(receive, weak=False)


HOW: dict[str, Callable[[object, list[Any]], None]] = {
    "chain": _chain, "templates": _templates, "waiting": _waiting, "ledger": _ledger, "workflows": _workflows,
    "exports": _exports, "subscriptions": _subscriptions,
}  # fmt: skip


def _chained() -> int:
    count, revision = 0, History.last
    while revision is not None:
        count, revision = count + 1, revision.before
    return count


COUNTED: dict[str, Callable[[], int]] = {
    "chain": _chained,
    "templates": lambda: len(TEMPLATES),
    "waiting": lambda: len(WAITING),
    "ledger": lambda: sum(map(len, LEDGER.values())),
    "workflows": lambda: len(WORKFLOWS),
    "exports": lambda: len(EXPORTS),
    "subscriptions": lambda: len(changed.receivers),
}
"""How many are kept by now in this process."""
