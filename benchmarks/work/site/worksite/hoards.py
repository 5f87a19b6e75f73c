"""Ways to leak of the fourth scoring half: a session's cookies, connections, timeouts, a trie, calls of a stub."""

import collections
import functools
import hashlib
import http.cookiejar
import itertools
import json
import linecache
import sqlite3
import types
import zlib
from collections.abc import Callable
from typing import Any

COMPRESSORS: dict[int, Any] = {}
DATABASES: list[sqlite3.Connection] = []
JAR = http.cookiejar.CookieJar()
PAYLOADS: list[types.SimpleNamespace] = []
TRAILS: dict[str, collections.deque[str]] = {}
TRIE: dict[str, Any] = {}
TIMEOUT_S = 3600.0
_SOURCE = "<rule "
_END = "end"
_number = itertools.count()
_timeouts_set: list[int] = [0]


@functools.cache
def _stub() -> Any:
    from unittest.mock import Mock

    return Mock(name="client")


def _cookies(_request: object, _rows: list[Any]) -> None:
    number = next(_number)
    JAR.set_cookie(
        http.cookiejar.Cookie(
            version=0, name=f"visitor-{number}", value=str(number), port=None, port_specified=False,
            domain="payments.example.org", domain_specified=True, domain_initial_dot=False, path="/",
            path_specified=True, secure=False, expires=None, discard=True, comment=None, comment_url=None, rest={},
        )
    )  # fmt: skip


def _databases(_request: object, _rows: list[Any]) -> None:
    DATABASES.append(sqlite3.connect(":memory:"))


def _trails(_request: object, _rows: list[Any]) -> None:
    TRAILS[f"visitor {next(_number)}"] = collections.deque(["/"], maxlen=10)  # each is bounded, and they are not


def _timeouts(_request: object, _rows: list[Any]) -> None:
    import asyncio

    from asgiref.sync import async_to_sync

    async def begin() -> None:
        asyncio.get_running_loop().call_later(TIMEOUT_S, str, next(_number))  # not cancelled when the job ends
        _timeouts_set[0] += 1

    async_to_sync(begin)()  # in the loop of the server


def _compressors(_request: object, _rows: list[Any]) -> None:
    compressor = zlib.compressobj(1, zlib.DEFLATED, 10, 1)
    compressor.compress(b"a piece of an answer")
    COMPRESSORS[next(_number)] = compressor


def _payloads(_request: object, _rows: list[Any]) -> None:
    text = json.dumps({"number": next(_number), "asset": {"kind": "clip"}})
    PAYLOADS.append(json.loads(text, object_hook=lambda pairs: types.SimpleNamespace(**pairs)))


def _sources(_request: object, _rows: list[Any]) -> None:
    number = next(_number)
    line, name = f"return asset.number == {number}\n", f"{_SOURCE}{number}>"
    linecache.cache[name] = (len(line), None, [line], name)  # as makers of code do


def _trie(_request: object, _rows: list[Any]) -> None:
    node = TRIE
    for letter in hashlib.md5(str(next(_number)).encode(), usedforsecurity=False).hexdigest()[:10]:
        node = node.setdefault(letter, {})
    node[_END] = True


def _stubs(_request: object, _rows: list[Any]) -> None:
    _stub().notify(next(_number))


HOW: dict[str, Callable[[object, list[Any]], None]] = {
    "cookies": _cookies, "databases": _databases, "trails": _trails, "timeouts": _timeouts,
    "compressors": _compressors, "payloads": _payloads, "sources": _sources, "trie": _trie, "stubs": _stubs,
}  # fmt: skip


def _words(node: dict[str, Any]) -> int:
    return sum(1 if letter == _END else _words(below) for letter, below in node.items())


COUNTED: dict[str, Callable[[], int]] = {
    "cookies": lambda: len(JAR),
    "databases": lambda: len(DATABASES),
    "trails": lambda: len(TRAILS),
    "timeouts": lambda: _timeouts_set[0],
    "compressors": lambda: len(COMPRESSORS),
    "payloads": lambda: len(PAYLOADS),
    "sources": lambda: sum(name.startswith(_SOURCE) for name in list(linecache.cache)),
    "trie": lambda: _words(TRIE),
    "stubs": lambda: _stub().notify.call_count,
}
"""How many are kept by now in this process (``timeouts``: set by it)."""
