"""Growth that is no leak: a bounded cache that warms up, a batch that is let go, a pool that fills."""

from functools import lru_cache


class Thumbnail:
    """A small picture."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.size = (64, 64)


@lru_cache(maxsize=400)
def thumbnail(number: int) -> Thumbnail:
    """Kept while it is among the 400 last used."""
    return Thumbnail(number)


class ImportRow:
    """A line of a supplier's price list."""

    def __init__(self, number: int) -> None:
        self.number = number


BATCH_SIZE = 3000
_batch: list[ImportRow] = []


def import_rows(count: int) -> None:
    """Collect rows, and let all go when the batch is full."""
    _batch.extend(ImportRow(number) for number in range(count))
    if len(_batch) >= BATCH_SIZE:
        _batch.clear()


class PooledConnection:
    """A connection to the warehouse that is used again."""

    def __init__(self) -> None:
        self.buffer = [0] * 16


POOL_SIZE = 200
_pool: list[PooledConnection] = []


def warm_pool(count: int) -> None:
    """Open connections until the pool is full."""
    _pool.extend(PooledConnection() for _ in range(min(count, POOL_SIZE - len(_pool))))
