"""The ordinary part of a job: rows, a rendered page, cycles, and what an application keeps for good reasons."""

import collections
import functools
import gc
import hashlib
import importlib
import itertools
import random
import time
from collections.abc import Callable
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.template import engines

from worksite import everyjob
from worksite.bounded import BOUNDED
from worksite.expiring import EXPIRING
from worksite.holders import RefusedError
from worksite.leaks import leaks_of, start_ticking, wrapped
from worksite.noting import noted
from worksite.program import PROGRAM
from worksite.temporary import TEMPORARY

TEMPLATE = engines["django"].from_string(
    "<table>{% for row in rows %}<tr><td>{{ row.number }}<td>{{ row.name|upper }}</tr>{% endfor %}</table>"
)
SESSION_S = 8.0
COLLECT_EVERY_S = 45.0 if "uncollected" in PROGRAM["harmless"] else 12.0
_chance = random.Random(1)
SESSIONS: dict[int, tuple[float, list[str]]] = {}
RECENT: collections.deque[Any] = collections.deque(maxlen=300)
_FULL = 400
POOL: list[Any] = []
PAGES: collections.OrderedDict[int, Any] = collections.OrderedDict()
_PAGES_AT_MOST = 900
BATCH: list[Any] = []
_BATCH = 250
_FAILING = 0.03
FRAGMENTS: collections.OrderedDict[str, list[str]] = collections.OrderedDict()
_FRAGMENTS_AT_MOST = 1500
_LATE = ["xml.dom.minidom", "plistlib", "mailbox", "imaplib", "ftplib", "smtplib", "tarfile", "pstats", "netrc"]
_IMPORT_EVERY = 100
_jobs = itertools.count(1)


class Row:
    """A line of a page."""

    def __init__(self, number: int) -> None:
        self.number, self.name = number, f"article {number}"


class Session:
    """Of a visitor, for some seconds."""


@functools.lru_cache(maxsize=300)
def _looked_up(key: int) -> Row:
    return Row(key)


def _cache() -> None:
    for _ in range(3):
        _looked_up(_chance.randrange(3_000))


def _sessions() -> None:
    now = time.monotonic()
    SESSIONS[_chance.randrange(10**9)] = (now + SESSION_S, [str(_chance.random()), str(now)])
    for key in [key for key, (until, _kept) in list(SESSIONS.items()) if until < now]:
        SESSIONS.pop(key, None)


def _recent() -> None:
    RECENT.append(Session())


def _pool() -> None:
    if len(POOL) < _FULL:
        POOL.append(Session())


def _garbage() -> None:
    for _ in range(10):
        row = Session()
        row.me = row  # type: ignore[attr-defined]  # that is the cycle


def _pages() -> None:
    PAGES[_chance.randrange(10**9)] = Session()
    if len(PAGES) > _PAGES_AT_MOST:
        PAGES.popitem(last=False)


def _batch() -> None:
    BATCH.append(Session())
    if len(BATCH) >= _BATCH:
        BATCH.clear()


def _fragments() -> None:
    FRAGMENTS[f"fragment {_chance.randrange(10**9)}"] = [f"<p>{_chance.random()}"]
    if len(FRAGMENTS) > _FRAGMENTS_AT_MOST:
        FRAGMENTS.popitem(last=False)


def _imports() -> None:
    if next(_jobs) % _IMPORT_EVERY == 0 and _LATE:
        importlib.import_module(_LATE.pop())


def _report() -> None:
    if _chance.random() < 0.05:
        sorted((Row(number) for number in range(2_000)), key=lambda row: row.name)


def _failing() -> None:
    if _chance.random() < _FAILING:
        raise RefusedError


_collected = [time.monotonic()]


def _collect() -> None:
    """A full collection now and then: in a hundred intervals of a minute there would be some."""
    if time.monotonic() > _collected[0] + COLLECT_EVERY_S:
        _collected[0] = time.monotonic()
        gc.collect()


BY_NAME = {**BOUNDED, **EXPIRING, **TEMPORARY}
HARMLESS = {
    "cache": _cache, "sessions": _sessions, "recent": _recent, "pool": _pool, "garbage": _garbage,
    "pages": _pages, "batch": _batch, "failing": _failing, "fragments": _fragments, "imports": _imports,
    "report": _report,
}  # fmt: skip
"""A cache with a bound, sessions that end, the last 300, a pool that fills, cycles; pages that fill for a minute, rows
that are sent off by 250, jobs that fail; fragments that fill for two, modules that are imported late, large reports."""


def cost(name: str) -> int:
    """How much of it: every name has its own."""
    return 10 + hashlib.sha256(name.encode()).digest()[0] // 4


def rows_of(name: str) -> list[Any]:
    """From the database."""
    return list(ContentType.objects.order_by("pk")[: 2 + cost(name) % 4])


def ordinary(name: str) -> str:
    """Everything of a job but its rows and its leak."""
    start_ticking()
    if begin := everyjob.BEGIN.get(PROGRAM["every_job"]):
        begin(name)
    _collect()
    for harmless in PROGRAM["harmless"]:
        BY_NAME[harmless](name) if harmless in BY_NAME else HARMLESS[harmless]()
    return TEMPLATE.render({"rows": [Row(number) for number in range(cost(name))]})


def job(name: str) -> Callable[[object], str]:
    """One job of that name."""
    leak = noted(name, leaks_of(name))

    def run(request: object) -> str:
        page, rows = ordinary(name), rows_of(name)
        leak(request, rows)
        return page

    found: Callable[[object], str] = wrapped(name, run)
    return found
