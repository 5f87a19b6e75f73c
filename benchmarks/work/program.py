"""What a program of the benchmark says of itself: its server, its names, and the truth about its leaks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

WEB = ("sync", "gthread", "asgi")
POOLS = ("prefork", "threads", "gevent")
SERVERS = (*WEB, *POOLS)
HALVES = ("tuning", "scoring", "scoring-2", "scoring-3")
INTERVALS = 240
"""Of a run: a container is judged from 1,000 entries on, which some leaks have in no process after half as many."""

NO_TYPE = "(?!)"
"""A regular expression that nothing matches."""
UNTRACKED = "untracked"
"""Asked for where what is kept has no type that is counted, and its container no name."""

TYPES = {
    "objects": r"worksite\.leaks\.Kept",
    "lines": r"worksite\.leaks\.Line",
    "requests": r"django\.core\.handlers\.(wsgi\.WSGI|asgi\.ASGI)Request|(gunicorn\.http|django\.http|asgiref)\..+",
    "rows": r"django\.contrib\.contenttypes\.models\.ContentType|django\.db\.models\.base\.ModelState",
    "strings": r"untracked|(builtins\.)?str|worksite\.leaks\.STRINGS",
    "cached": r"worksite\.leaks\.(Tariff|Price)",
    "closures": r"(builtins\.)?(function|cell)|worksite\.leaks\.CLOSURES",
    "singleton": r"worksite\.holders\.Visit",
    "floats": r"untracked|(builtins\.)?float|worksite\.holders\..+",
    "receiver": r"worksite\.holders\.Event",
    "uuids": r"uuid\.UUID|worksite\.holders\.BY_UUID",
    "bytearrays": r"untracked|(builtins\.)?bytearray|native|worksite\.holders\.UPLOADS",
    "weak": r"worksite\.holders\.(Document|Note|NOTES)|weakref\.(ReferenceType|ref)",
    "results": r"worksite\.holders\.Result",
    "errors": r".+\.RefusedError|(builtins\.)?(traceback|frame)|.+\.(WSGIRequest|ContentType|ModelState)",
    "wrapper": r"worksite\.holders\.Audit",
    "streams": r"(builtins\.)?(generator|function)|worksite\.holders\.STREAMS",
    "local": r"worksite\.holders\.Entry",
    "loggers": r"logging\.Logger",
    "forms": r"worksite\.holders\.FormMeta|(builtins\.)?(type|getset_descriptor)",
    "futures": r".+\.Future|threading\.Condition|(.+\.)?(deque|RLock|builtin_function_or_method)",
    "callbacks": r"functools\.partial",
    "queued": r"worksite\.holders\.Order",
    "dicts": r"(builtins\.)?(dict|list)|.*\bBoard\b.*",
    "users": r"django\.contrib\.auth\.models\.User|django\.db\.models\.base\.ModelState|.*\bREADERS",
    "querysets": r"django\.db\.models\..+|django\.contrib\.contenttypes\.models\.ContentType",
    "defaults": r"worksite\.retained\.(Basket|Shelf\b.*)",
    "tracebacks": r".+\.LostError|(builtins\.)?(traceback|frame)|.+\.(WSGIRequest|ContentType|ModelState)|.*\bLOST",
    "lazies": r".+\.(SimpleLazyObject|WSGIRequest)|(builtins\.)?(function|cell)|(gunicorn|django)\.http\..+|.*\bLAZY",
    "locks": r"untracked|(_thread\.)?R?[Ll]ock|worksite\.retained\.LOCKS",
    "feeds": r"untracked|(builtins\.)?async_generator|worksite\.retained\.FEEDS",
    "spans": r"worksite\.retained\.(Span|SPANS\b.*)",
    "timeline": r"untracked|(builtins\.)?(tuple|str|float)|worksite\.retained\.TIMELINE",
    "finalizers": r"worksite\.retained\.Handle|weakref\..+|(builtins\.)?weakref.*",
    "samples": r"untracked|(builtins\.)?(float|list)|.*\bGauge\b.*",
    "tickets": r"worksite\.retained\.(Ticket|TICKETS)|(builtins\.)?tuple",
    "chunks": r"untracked|native|(builtins\.)?bytes|.*(_local|CHUNKS|chunks)\b.*",
    "methods": r"worksite\.retained\.(Watcher|LISTENERS)|(builtins\.)?method",
    "memo": r"untracked|(builtins\.)?(str|cell)|.*(known|look_up)\b.*",
    "promises": r"celery\.result\.AsyncResult|vine\..+|(builtins\.)?method|worksite\.retained\.SENT",
    "sets": r"untracked|(builtins\.)?set|worksite\.retained\.SEGMENTS",
    "tees": r"worksite\.retained\.Reading|itertools\..+",
    "letters": r"worksite\.retained\.Letter\b.*|functools\..+|untracked|(builtins\.)?(str|bytes|tuple)",
    "chain": r"worksite\.references\.Revision",
    "templates": r"django\.template\..+|worksite\.references\.TEMPLATES",
    "waiting": r"(.+\.)?(Task|Future|Event|Context|coroutine|deque)|worksite\.references\.WAITING",
    "ledger": r"worksite\.references\.(Posting|LEDGER\b.*)|(_?decimal\.)?Decimal|(datetime\.)?datetime",
    "workflows": r"celery\.canvas\..+|worksite\.references\.WORKFLOWS",
    "exports": r"untracked|native|_?io\.BytesIO|(builtins\.)?bytes|worksite\.references\.EXPORTS",
    "subscriptions": r"(builtins\.)?(function|cell|tuple)|django\.dispatch\..+|worksite\.references\.changed\b.*",
    "labels": r"prometheus_client\..+|(_thread\.)?R?[Ll]ock",
    "reraised": r"(builtins\.)?(traceback|frame)|.+\.(WSGIRequest|ContentType|ModelState)",
    "mailboxes": r"asyncio\..+|(collections\.)?deque|worksite\.registries\.GROUPS\b.*",
    "mails": r"django\.core\.mail\..+",
    "postponed": r"celery\.worker\..+|(celery|kombu|vine)\..+",
    "greenlets": r"(gevent|greenlet)\b.*|worksite\.registries\.PARKED",
    "feed": r"(xml\.etree\.ElementTree\.)?Element",
    "ticks": r"worksite\.leaks\.(Tick|TICKS)",
    "sampler": r"worksite\.background\.(Sample|SAMPLES)",
    "clock": r"untracked|(builtins\.)?str|worksite\.background\.CLOCK",
    "cron": r"worksite\.background\.(Run|RUNS)",
    "loop": r"worksite\.background\.(Message|MESSAGES)",
    "patrol": r"worksite\.background\.(Patrol|PATROLS)",
    "wanderer": r"worksite\.background\.(Ping|PINGS)",
    "handler": r"worksite\.retained\.(Handled|HANDLED)",
    "middleware": r"worksite\.everyjob\.(Trace|TRACES)",
    "postrun": r"untracked|(builtins\.)?(str|tuple|float)|worksite\.everyjob\.STATES",
    "base": r"worksite\.everyjob\.(Outcome|OUTCOMES)",
    "records": r"logging\.LogRecord|worksite\.everyjob\.RECORDS",
    "recorder": r"worksite\.everyjob\.(Deed|DEEDS)",
    "statements": r"worksite\.everyjob\.(Statement|STATEMENTS)",
}
"""How a leak leaks, and the names of types under which it is rightly reported (all of the name).

Those from ``ticks`` on belong to no name: see ``Program.ticking`` and ``Program.every_job``."""

ASKED = {
    "objects": "worksite.leaks.Kept",
    "lines": "worksite.leaks.Line",
    "requests": "django.core.handlers.wsgi.WSGIRequest",
    "rows": "django.contrib.contenttypes.models.ContentType",
    "strings": "worksite.leaks.STRINGS",
    "cached": "worksite.leaks.Tariff",
    "closures": "cell",
    "singleton": "worksite.holders.Visit",
    "floats": "worksite.holders.METER",
    "receiver": "worksite.holders.Event",
    "uuids": "uuid.UUID",
    "bytearrays": "worksite.holders.UPLOADS",
    "weak": "worksite.holders.Note",
    "results": "worksite.holders.Result",
    "errors": "worksite.holders.RefusedError",
    "wrapper": "worksite.holders.Audit",
    "streams": "generator",
    "local": "worksite.holders.Entry",
    "loggers": "logging.Logger",
    "forms": "worksite.holders.FormMeta",
    "futures": "concurrent.futures._base.Future",
    "callbacks": "functools.partial",
    "queued": "worksite.holders.Order",
    "dicts": "dict",
    "users": "django.contrib.auth.models.User",
    "querysets": "django.db.models.query.QuerySet",
    "defaults": "worksite.retained.Basket",
    "tracebacks": "worksite.retained.LostError",
    "lazies": "django.utils.functional.SimpleLazyObject",
    "locks": "worksite.retained.LOCKS",
    "feeds": "async_generator",
    "spans": "worksite.retained.Span",
    "timeline": "worksite.retained.TIMELINE",
    "finalizers": "worksite.retained.Handle",
    "samples": UNTRACKED,
    "tickets": "worksite.retained.Ticket",
    "chunks": UNTRACKED,
    "methods": "worksite.retained.Watcher",
    "memo": UNTRACKED,
    "promises": "celery.result.AsyncResult",
    "sets": "set",
    "tees": "worksite.retained.Reading",
    "letters": "worksite.retained.Letter",
    "chain": "worksite.references.Revision",
    "templates": "django.template.base.Template",
    "waiting": "_asyncio.Task",
    "ledger": "worksite.references.Posting",
    "workflows": "celery.canvas.Signature",
    "exports": "_io.BytesIO",
    "subscriptions": "function",
    "labels": "prometheus_client.metrics.Counter",
    "reraised": "traceback",
    "mailboxes": "asyncio.queues.Queue",
    "mails": "django.core.mail.message.EmailMessage",
    "postponed": "kombu.asynchronous.timer.Entry",
    "greenlets": "gevent._gevent_cgreenlet.Greenlet",
    "feed": "xml.etree.ElementTree.Element",
}
"""The type, or the container, that the attribution is asked for where no leak was opened."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Leak:
    """One planted leak."""

    how: str
    """A key of ``TYPES``."""
    names: tuple[str, ...]
    """Whose calls leave something behind: the culprits."""
    every: int = 1
    """It leaks at every so many calls."""
    objects: tuple[int, int] = (1, 1)
    """How many at a time: between these, at random."""
    times: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """So many times as many at a call of these names."""
    spell_s: float = 0.0
    """It leaks for so many seconds, then for as many it does not, and so on."""
    taken_by: str = ""
    """A name whose calls take one object of a queue back each, and never all."""

    @property
    def types(self) -> str:
        """A regular expression."""
        return TYPES[self.how]

    @property
    def asked(self) -> str:
        """See ``ASKED``."""
        return ASKED[self.how]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One load on the generated site."""

    name: str
    half: str
    """``tuning``: rules are looked at with it; ``scoring``: they are not; ``scoring-2`` and ``scoring-3``: neither,
    and whoever wrote them had not read the rules."""
    server: str
    names: Mapping[str, float]
    """Of views or tasks, by how often they are called."""
    leaks: tuple[Leak, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    """Names that are always called one after the other: the weight of the first counts for all of them."""
    ticking: str = ""
    """``thread`` or ``timer`` keeps an object ten times a second, ``scheduler`` forty of them every four seconds,
    ``irregular`` up to nine of them by chance; ``import`` eighty a second, and after a hundred seconds no more.
    ``sampler`` keeps twelve a second in a thread, ``loop`` ten in an event loop of its own, ``clock`` forty texts by a
    timer; ``cron`` is a scheduler of three jobs, which keep some each second, many each fifth, and most every twenty
    seconds. ``patrol`` is three threads that keep 15, 40 and 70 each third, seventh and eleventh second; a
    ``wanderer`` keeps 2 to 60 a second, and more or fewer from one half second to the next."""
    every_job: str = ""
    """What keeps something at every job, so that all names leak alike and no single one is the cause: ``handler`` of
    the signal before it, ``postrun`` of the one after it, a ``middleware``, the ``base`` class of all tasks, a handler
    of log ``records``, a ``recorder`` that writes jobs down in a thread some seconds later, or a wrapper of queries
    that keeps ``statements``."""
    harmless: tuple[str, ...] = ()
    """Of the site's ``HARMLESS``, ``BOUNDED`` and ``EXPIRING``: they grow for a while, or come and go."""
    per_second: float = 30.0
    """Visits: a group that is called together is one."""
    waves: bool = False
    """Visits come and go with a period of twenty seconds, so that all names rise and fall at once."""
    steady: bool = False
    """Visits come one after the other at the same pace and in the same turn: no name's calls vary."""
    bursts: bool = False
    """Some seconds of many visits, then some of few, by chance."""
    ramp: bool = False
    """Visits become more and more, from a few at the begin to many times as many at the end of a run."""
    moves: int = 0
    """After so many visits of a visitor, each name is called as often as the one before it was until then."""
    in_a_row: int = 1
    """So many visits to what is chosen, before the next is chosen."""
    slow: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Seconds that calls of these names take longer than others."""
    processes: int = 2
    """Workers of a server, children of a pool."""

    @property
    def kind(self) -> str:
        """As memwatch calls its jobs."""
        return "view" if self.server in WEB else "task"

    @property
    def visits(self) -> list[tuple[tuple[str, ...], float]]:
        """What is called at once, and how often."""
        grouped = {name: group for group in self.together for name in group}
        firsts = {group[0] for group in self.together}
        return [
            (grouped.get(name, (name,)), weight)
            for name, weight in self.names.items()
            if name not in grouped or name in firsts
        ]

    @property
    def of_no_name(self) -> str:
        """A regular expression for the types of what no single name leaves behind."""
        by_the_process = TYPES.get(self.ticking, TYPES["ticks"]) if self.ticking else NO_TYPE
        return f"{by_the_process}|{TYPES[self.every_job] if self.every_job else NO_TYPE}"

    def inseparable(self, name: str) -> frozenset[str]:
        """The names that no count of calls can tell from this one."""
        return frozenset(next((group for group in self.together if name in group), (name,)))

    def for_the_site(self) -> str:
        """What the site reads, as JSON."""
        wanted: dict[str, Any] = {
            "server": self.server, "names": list(self.names), "ticking": self.ticking, "harmless": self.harmless,
            "every_job": self.every_job, "slow": dict(self.slow),
            "leaks": [dataclasses.asdict(leak) for leak in self.leaks],
        }  # fmt: skip
        return json.dumps(wanted)


def zipf(names: Sequence[str], exponent: float = 1.0) -> dict[str, float]:
    """The first is called most."""
    return {name: 1 / rank**exponent for rank, name in enumerate(names, 1)}


def evenly(names: Sequence[str]) -> dict[str, float]:
    """All are called as often."""
    return dict.fromkeys(names, 1.0)


def leaning(names: Sequence[str], shares: Mapping[str, float]) -> dict[str, float]:
    """These shares of all calls for some of them, and the rest for the others, evenly."""
    rest = (1 - sum(shares.values())) / (len(names) - len(shares))
    return {name: shares.get(name, rest) for name in names}
