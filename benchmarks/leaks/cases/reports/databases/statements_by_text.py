"""A driver caches what it prepared by the text of the query; the values are in the text, and differ each time.

Reported as mfenniak/pg8000#118: the cache of a connection has no limit.
"""

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="prepared statements by the text of the query",
    leaks="objects",
    culprit=("*.Prepared", "*.Connection", "dict"),
    source="https://github.com/mfenniak/pg8000/issues/118",
)
_traffic = Traffic(115)


class Prepared:
    """What the server knows by a name."""

    def __init__(self, name: str, columns: list[str]) -> None:
        self.name = name
        self.columns = columns


class Connection:
    """To a server."""

    def __init__(self) -> None:
        self._caches: dict[str, Prepared] = {}

    def execute(self, query: str) -> Prepared:
        if query not in self._caches:
            self._caches[query] = Prepared(f"s{len(self._caches)}", ["id", "name"])
        return self._caches[query]


_connection = Connection()


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        assert _connection.execute(f"SELECT id, name FROM task WHERE due < {i}").columns
