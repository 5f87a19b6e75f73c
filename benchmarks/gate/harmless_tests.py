"""Twenty tests that keep nothing, or no more than a bound, each marked. Run by :mod:`benchmarks.gate.harmless`."""

from __future__ import annotations

import asyncio
import collections
import functools
import io
import itertools
import json
import logging
import random
import re
import sqlite3
import tempfile
import threading
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_leaks
_numbers = itertools.count()
_recent: collections.deque[object] = collections.deque(maxlen=50)
_by_key: dict[int, list[int]] = {}
_gathered: list[dict[str, int]] = []
_living: weakref.WeakValueDictionary[int, Order] = weakref.WeakValueDictionary()
_pool = ThreadPoolExecutor(2)
_database = sqlite3.connect(":memory:")


class Order:
    """Refers to itself."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.lines = [{"number": number, "of": self}]


@functools.lru_cache(maxsize=100_000)
def _priced(number: int) -> list[int]:
    return [number]


@functools.lru_cache(maxsize=64)
def _small(number: int) -> list[int]:
    return [number]


def test_nothing() -> None:
    pass


def test_cycles() -> None:
    for number in range(5):
        Order(number)


def test_bounded_deque() -> None:
    _recent.append(Order(next(_numbers)))


def test_large_cache_fills() -> None:
    _priced(next(_numbers))


def test_small_cache_replaces() -> None:
    _small(next(_numbers))


def test_keys_that_come_again() -> None:
    _by_key.setdefault(next(_numbers) % 40, [1])


def test_batch_is_flushed() -> None:
    _gathered.append({"number": next(_numbers)})
    if len(_gathered) >= 25:
        _gathered.clear()


def test_one_in_many_calls_allocates() -> None:
    if next(_numbers) % 97 == 0:
        _by_key[-next(_numbers)] = [1]


def test_json() -> None:
    json.loads(json.dumps({str(number): [number] for number in range(random.randrange(200))}))


def test_patterns() -> None:
    re.search(f"order-{next(_numbers)}", "order-17")


def test_logging() -> None:
    logging.getLogger("shop.gate").warning("order %s", uuid.uuid4())


def test_weak_values() -> None:
    order = Order(next(_numbers))
    _living[order.number] = order


def test_threads() -> None:
    thread = threading.Thread(target=lambda: Order(1))
    thread.start()
    thread.join()


def test_pool() -> None:
    _pool.submit(Order, 1).result()


def test_database() -> None:
    _database.execute("SELECT ?", (next(_numbers),)).fetchone()


def test_files(tmp_path: Path) -> None:
    (tmp_path / "order.txt").write_text(str(next(_numbers)))
    with tempfile.TemporaryFile() as file:
        file.write(b"order")


def test_exceptions() -> None:
    with pytest.raises(KeyError):
        raise KeyError(next(_numbers))


def test_event_loop() -> None:
    async def both() -> None:
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))

    asyncio.run(both())


def test_random_sizes() -> None:
    _recent.append(bytes(random.randrange(100_000)))


def test_text(caplog: pytest.LogCaptureFixture) -> None:
    text = io.StringIO()
    print(uuid.uuid4(), file=text)
    caplog.clear()
