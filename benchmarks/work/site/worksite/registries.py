"""Ways to leak of the third scoring half, most through a library: labels, mailboxes, mails, tasks that wait."""

import asyncio
import functools
import itertools
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from django.core import mail

FEED = ElementTree.Element("feed")
GROUPS: dict[str, dict[str, asyncio.Queue[Any]]] = {}
PARKED: set[Any] = set()
LATER_S = 3600.0
_GATES = 6
_number = itertools.count()
_sent: list[int] = [0]


class ClosedError(Exception):
    """The gate is closed."""


CLOSED = ClosedError("closed")


@functools.cache
def _visits() -> Any:
    from prometheus_client import CollectorRegistry, Counter

    return Counter("visits", "By visitor.", ["visitor"], registry=CollectorRegistry())


def _labels(_request: object, _rows: list[Any]) -> None:
    _visits().labels(f"visitor {next(_number)}").inc()


def _reraised(_request: object, _rows: list[Any]) -> None:
    try:
        raise CLOSED  # its traceback begins with those of all the times before
    except ClosedError:
        return


def _mailboxes(_request: object, _rows: list[Any]) -> None:
    number = next(_number)
    mailbox: asyncio.Queue[Any] = asyncio.Queue()
    mailbox.put_nowait({"type": "gate.opened", "number": number})
    GROUPS.setdefault(f"gate {number % _GATES}", {})[f"channel {number}"] = mailbox


def _mails(_request: object, _rows: list[Any]) -> None:
    backend = mail.get_connection("django.core.mail.backends.locmem.EmailBackend")
    letter = mail.EmailMessage(f"number {next(_number)}", "The milk has been collected.", to=["farm@example.org"])
    backend.send_messages([letter])


def _postponed(_request: object, _rows: list[Any]) -> None:
    from worksite.celery import app

    app.send_task("worksite.later", countdown=LATER_S, ignore_result=True)  # the worker holds it until it is due
    _sent[0] += 1


def _greenlets(_request: object, _rows: list[Any]) -> None:
    import gevent
    from gevent.event import Event

    PARKED.add(gevent.spawn(Event().wait))


def _feed(_request: object, _rows: list[Any]) -> None:
    entry = ElementTree.SubElement(FEED, "entry", number=str(next(_number)))
    for tag in ("title", "author", "updated"):
        ElementTree.SubElement(entry, tag).text = tag.upper()


HOW: dict[str, Callable[[object, list[Any]], None]] = {
    "labels": _labels, "reraised": _reraised, "mailboxes": _mailboxes, "mails": _mails, "postponed": _postponed,
    "greenlets": _greenlets, "feed": _feed,
}  # fmt: skip


def _raised() -> int:
    count, entry = 0, CLOSED.__traceback__
    while entry is not None:
        count, entry = count + 1, entry.tb_next
    return count


COUNTED: dict[str, Callable[[], int]] = {
    "labels": lambda: len(_visits()._metrics),
    "reraised": _raised,
    "mailboxes": lambda: sum(map(len, GROUPS.values())),
    "mails": lambda: len(getattr(mail, "outbox", ())),
    "postponed": lambda: _sent[0],
    "greenlets": lambda: len(PARKED),
    "feed": lambda: len(FEED),
}
"""How many are kept by now in this process (``postponed``: sent by it)."""
