"""Results of Celery tasks in the backend ``cache+memory://``, which forgets nothing."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="Celery results kept in memory",
    leaks="untracked",
)
_run: Any = None


def setup() -> None:
    global _run
    from celery import Celery
    from celery.app.trace import build_tracer

    app = Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)

    @app.task
    def price(number: int) -> str:
        return f"{number} EUR"

    app.finalize()
    _run = build_tracer(price.name, price, app=app)


def step(i: int) -> None:
    if i % 20 == 0:
        identity = f"{i:032x}"
        _run(identity, (i,), {}, {"id": identity})
