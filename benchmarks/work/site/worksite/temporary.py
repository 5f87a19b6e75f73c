"""What an application keeps for a while, for the fourth scoring half: a store of two names, a pool, lists and caches
with a cap, what first calls load, a queue whose worker rests. Each is called with the name of the job; some know it.
"""

import collections
import importlib
import random
import re
import threading
import time
from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import Http404

from worksite.program import PROGRAM

_chance = random.Random(11)
now = time.monotonic


class Grant:
    """Valid for a time."""

    def __init__(self, until: float) -> None:
        self.until, self.scopes = until, ["read", "write"]


class Grants:
    """By a key. What has expired goes at every fiftieth grant."""

    VALID_S, PURGED_EVERY = 30.0, 50

    def __init__(self) -> None:
        self.grants: dict[int, Grant] = {}
        self._given = 0
        self._changing = threading.Lock()

    def add(self, at: float) -> None:
        """One grant."""
        with self._changing:
            self.grants[self._given] = Grant(at + self.VALID_S)
            self._given += 1
            if self._given % self.PURGED_EVERY == 0:
                for key in [key for key, grant in self.grants.items() if grant.until < at]:
                    del self.grants[key]

    def __len__(self) -> int:
        return len(self.grants)


class Connection:
    """To a host; it can be used again."""

    def __init__(self, at: float) -> None:
        self.used, self.buffer, self.headers = at, bytearray(2048), [["accept", "*/*"] for _ in range(4)]


class Connections:
    """Idle ones by host. More are opened when more are needed at once; without use for half a minute, one is closed."""

    IDLE_S = 30.0

    def __init__(self) -> None:
        self.idle: dict[int, list[Connection]] = {}
        self._changing = threading.Lock()

    def take(self, host: int, at: float) -> Connection:
        """An idle one, or a new one."""
        with self._changing:
            self.idle = {
                each: kept
                for each, some in self.idle.items()
                if (kept := [one for one in some if self._is_fresh(one, at)])
            }
            idle = self.idle.get(host)
            return idle.pop() if idle else Connection(at)

    def give_back(self, host: int, connection: Connection, at: float) -> None:
        """It is idle from now on."""
        connection.used = at
        with self._changing:
            self.idle.setdefault(host, []).append(connection)

    def _is_fresh(self, connection: Connection, at: float) -> bool:
        return connection.used > at - self.IDLE_S

    def __len__(self) -> int:
        return sum(map(len, list(self.idle.values())))


class Upload:
    """It waits in a queue."""

    def __init__(self, name: str) -> None:
        self.name, self.parts = name, [1, 2, 3]


class Uploads:
    """A queue. Of each 75 seconds, its worker rests in the last 30; else it is far quicker than uploads come."""

    EVERY_S, REST_S, A_SECOND = 75.0, 30.0, 150

    def __init__(self) -> None:
        self.waiting: collections.deque[Upload] = collections.deque()
        self._began = now()
        self._working: list[threading.Thread] = []
        self._starting = threading.Lock()

    def rests(self, passed_s: float) -> bool:
        """Whether the worker does nothing, so long after the begin."""
        return passed_s % self.EVERY_S >= self.EVERY_S - self.REST_S

    def work(self, count: int) -> None:
        """Finish so many, or all."""
        for _ in range(min(count, len(self.waiting))):
            self.waiting.popleft()

    def work_in_a_thread(self) -> None:
        """From now on."""
        with self._starting:
            if not self._working:
                self._working.append(threading.Thread(target=self._run, daemon=True))
                self._working[0].start()

    def _run(self) -> None:
        while True:
            time.sleep(0.2)
            if not self.rests(now() - self._began):
                self.work(self.A_SECOND // 5)

    def __len__(self) -> int:
        return len(self.waiting)


class Remark:
    """Of a list that has a cap."""

    def __init__(self, name: str) -> None:
        self.name, self.marks = name, [1, 2]


class Version:
    """Of a document."""

    def __init__(self, number: int) -> None:
        self.number, self.lines = number, ["a", "b"]


class Rule:
    """For the jobs of one name; its first call loads them."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number, self.terms = name, number, [number]


class Draft:
    """Two of them know each other."""

    def __init__(self) -> None:
        self.other: Draft | None = None
        self.lines = [1, 2, 3]


class Growing:
    """A cache that doubles its room when it is full, up to a limit; then the oldest entry goes."""

    FIRST, LAST = 100, 400

    def __init__(self) -> None:
        self.room = self.FIRST
        self.entries: collections.OrderedDict[int, Version] = collections.OrderedDict()
        self._misses = 0
        self._changing = threading.Lock()

    def look_up(self, key: int) -> None:
        """Found, or made."""
        with self._changing:
            if key in self.entries:
                self.entries.move_to_end(key)
                return
            self.entries[key] = Version(key)
            self._misses += 1
            if self._misses > self.room and self.room < self.LAST:
                self.room, self._misses = 2 * self.room, 0
            while len(self.entries) > self.room:
                self.entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self.entries)


GRANTS, CONNECTIONS, UPLOADS, GROWING = Grants(), Connections(), Uploads(), Growing()
REMARKS: list[Remark] = []
VERSIONS: dict[int, collections.deque[Version]] = {}
RULES: dict[str, list[Rule]] = {}
DRAFTS: collections.deque[tuple[float, Draft]] = collections.deque()
PICTURES: collections.deque[bytes] = collections.deque(maxlen=200)
LANES = threading.local()
_lanes: list[list[Remark]] = []
_REMARKS, _STAY = 900, 500
_DOCUMENTS, _VERSIONS = 150, 6
_OPENED = [rank**-0.5 for rank in range(1, _DOCUMENTS + 1)]
_RULES, _LANE, _PATTERNS, _HOSTS = 250, 150, 512, 30
_DRAFT_S, _REFUSED, _LARGEST, _KEYS = 6.0, 0.08, 60_000, 5_000
_FIRST_USED = ["difflib", "fractions", "statistics", "calendar", "wave", "graphlib", "cmd", "shelve", "poplib",
               "xmlrpc.client", "filecmp", "fileinput", "modulefinder", "symtable", "trace", "rlcompleter"]  # fmt: skip


def _place(name: str) -> int:
    return int(PROGRAM["names"].index(name))


def _grants(name: str) -> None:
    if _place(name) in (1, 4):
        for _ in range(5):
            GRANTS.add(now())


def _connections(_name: str) -> None:
    host = _chance.randrange(_HOSTS)
    connection = CONNECTIONS.take(host, now())
    time.sleep(0.002)  # others need one meanwhile
    CONNECTIONS.give_back(host, connection, now())


def _uploads(name: str) -> None:
    UPLOADS.work_in_a_thread()
    if _place(name) % 3 == 0:
        UPLOADS.waiting.extend(Upload(name) for _ in range(6))


def _remarks(name: str) -> None:
    REMARKS.extend(Remark(name) for _ in range(4))
    if len(REMARKS) > _REMARKS:
        del REMARKS[:-_STAY]


def _patterns(_name: str) -> None:
    re.compile(f"number {_chance.randrange(10**9)} of [0-9]+")  # the module keeps them, and has a cap


def _versions(_name: str) -> None:
    for document in _chance.choices(range(_DOCUMENTS), _OPENED, k=3):
        VERSIONS.setdefault(document, collections.deque(maxlen=_VERSIONS)).append(Version(document))


def _firsts(name: str) -> None:
    if name not in RULES:
        RULES[name] = [Rule(name, number) for number in range(_RULES)]
        importlib.import_module(_FIRST_USED[_place(name) % len(_FIRST_USED)])


def _drafts(name: str) -> None:
    at = now()
    for _ in range(1 + len(name) % 4):
        one, other = Draft(), Draft()
        one.other, other.other = other, one
        DRAFTS.append((at, one))
    try:
        while DRAFTS[0][0] < at - _DRAFT_S:
            DRAFTS.popleft()  # old by now, so that only a full collection frees the two
    except IndexError:  # another thread took the last one
        return


def _pictures(_name: str) -> None:
    PICTURES.append(bytes(_chance.randrange(1_000, _LARGEST)))


def _lane(name: str) -> None:
    if not hasattr(LANES, "remarks"):
        LANES.remarks = []
        _lanes.append(LANES.remarks)
    LANES.remarks += [Remark(name), Remark(name)]
    del LANES.remarks[:-_LANE]


def _growing(_name: str) -> None:
    for _ in range(6):
        GROWING.look_up(int(_chance.paretovariate(0.3)) % _KEYS)


def _refused(name: str) -> None:
    if _place(name) % 2 == 0 and _chance.random() < _REFUSED:
        raise _refusal()


def _refusal() -> Exception:
    if PROGRAM["server"] in ("sync", "gthread", "asgi"):
        return _chance.choice((Http404, PermissionDenied))("no")
    from celery.exceptions import Ignore

    return Ignore("no")


TEMPORARY: dict[str, Callable[[str], None]] = {
    "grants": _grants, "connections": _connections, "uploads": _uploads, "remarks": _remarks, "patterns": _patterns,
    "versions": _versions, "firsts": _firsts, "drafts": _drafts, "pictures": _pictures, "lane": _lane,
    "growing": _growing, "refused": _refused,
}  # fmt: skip
"""Grants of two names, valid for 30 seconds; connections to 30 hosts, as many as are used at once; uploads of each
third name, in a queue whose worker rests for 30 seconds of 75; a list that is cut to 500 when it has more than 900;
compiled patterns, of which ``re`` keeps 512; the last six versions of 150 documents; a module and 250 rules at the
first call of each name; pairs of drafts that grow old before they are garbage; the last 200 pictures; the last 150
remarks of each thread; a cache whose room doubles twice; jobs that are refused."""

HELD: dict[str, Callable[[], int]] = {
    "grants": lambda: len(GRANTS),
    "connections": lambda: len(CONNECTIONS),
    "uploads": lambda: len(UPLOADS),
    "remarks": lambda: len(REMARKS),
    "patterns": lambda: len(re._cache),  # type: ignore[attr-defined]
    "versions": lambda: sum(map(len, list(VERSIONS.values()))),
    "firsts": lambda: sum(map(len, list(RULES.values()))),
    "drafts": lambda: len(DRAFTS),
    "pictures": lambda: len(PICTURES),
    "lane": lambda: sum(map(len, list(_lanes))),
    "growing": lambda: len(GROWING),
}
"""How many of them there are by now in this process."""

_MOST: dict[str, int] = {
    "remarks": _REMARKS,
    "patterns": _PATTERNS,
    "versions": _DOCUMENTS * _VERSIONS,
    "firsts": len(PROGRAM["names"]) * _RULES,
    "pictures": 200,
    "lane": _LANE,
    "growing": Growing.LAST,
}
SIZES: dict[str, tuple[Callable[[], int], int]] = {each: (HELD[each], most) for each, most in _MOST.items()}
"""How many of them there are, and how many there may be at most (``lane``: in one thread); the others are bounded by
time, or by how many jobs run at once."""
