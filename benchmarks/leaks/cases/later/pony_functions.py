"""A query of Pony that calls a function written beside it, in every request.

Reported as ponyorm/pony#581: what Pony found out of the function's code is kept by the function.

Holder: ``pony.orm.asttranslation.extractors_cache`` and the database's ``_translator_cache``, dicts.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="functions within queries of Pony",
    leaks="objects",
    culprit=("pony.*", "*QueryVars", "*HashableDict", "ast.*", "*.extractors_cache", "*._translator_cache"),
    holder=("*extractors_cache", "*_translator_cache"),
    requires=("pony==0.7.19",),
    source="https://github.com/ponyorm/pony/issues/581",
)
_traffic = Traffic(208)
_orm: Any = None
_Order: Any = None


def setup() -> None:
    global _orm, _Order
    from pony import orm

    database = orm.Database()

    class Order(database.Entity):  # type: ignore[name-defined]
        """A row."""

        place = orm.Required(str)

    database.bind("sqlite", ":memory:")
    database.generate_mapping(create_tables=True)
    with orm.db_session:
        Order(place="north")
    _orm, _Order = orm, Order


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        orders = _Order
        with _orm.db_session:
            near: Any = lambda order: "north" in order.place  # noqa: E731
            assert len(list(_orm.select(order for order in orders if near(order)))) == 1
