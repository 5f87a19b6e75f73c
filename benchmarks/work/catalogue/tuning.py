"""Programs that rules are looked at with."""

from __future__ import annotations

from benchmarks.work.catalogue.names import named
from benchmarks.work.program import Leak, Program, evenly, zipf

PROGRAMS = (
    Program(
        name="sync rows of twelve in waves", half="tuning", server="sync", names=zipf(named(12)), waves=True,
        leaks=(Leak(how="rows", names=("shop:basket",)),), harmless=("sessions", "cache"),
    ),
    Program(
        name="sync two names of fourteen", half="tuning", server="sync", names=evenly(named(14, begin=12)),
        leaks=(Leak(how="lines", names=("shop:stock", "account:invoices")),), harmless=("cache", "garbage"),
    ),
    Program(
        name="sync strings of six, steady", half="tuning", server="sync", names=evenly(named(6, begin=10)), steady=True,
        leaks=(Leak(how="strings", names=("account:login",)),), harmless=("cache", "sessions"),
    ),
    Program(
        name="sync none of thirty", half="tuning", server="sync", names=zipf(named(30)),
        harmless=("cache", "sessions", "recent", "pool", "garbage"),
    ),
    Program(
        name="gthread objects of ten together", half="tuning", server="gthread", names=evenly(named(10)),
        together=(("shop:product", "shop.views.suggest"), ("shop:basket", "shop:prices", "account:orders")),
        leaks=(Leak(how="objects", names=("shop:prices",), objects=(2, 2)),),
    ),
    Program(
        name="asgi every third of twenty", half="tuning", server="asgi", names=zipf(named(20)), processes=1,
        leaks=(Leak(how="lines", names=("shop.views.search",), every=3, objects=(4, 4)),), harmless=("recent",),
    ),
    Program(
        name="asgi requests of fifteen in waves", half="tuning", server="asgi", names=zipf(named(15, begin=4)),
        leaks=(Leak(how="requests", names=("shop:prices",)),), waves=True, processes=1,
    ),
    Program(
        name="asgi none of ten in waves", half="tuning", server="asgi", names=zipf(named(10, begin=2)),
        harmless=("cache", "sessions", "recent", "pool", "garbage"), waves=True, processes=1,
    ),
    Program(
        name="prefork strings of thirty", half="tuning", server="prefork", names=zipf(named(30, tasks=True, begin=3)),
        leaks=(Leak(how="strings", names=("shop.tasks.recommend",)),), harmless=("recent", "garbage"),
    ),
    Program(
        name="prefork two leaks of fifteen", half="tuning", server="prefork", names=zipf(named(15, tasks=True), 0.7),
        leaks=(
            Leak(how="objects", names=("shop.tasks.index_product",)),
            Leak(how="lines", names=("mail.digest",), objects=(2, 2)),
        ),
    ),
    Program(
        name="prefork by chance of ten", half="tuning", server="prefork", names=evenly(named(10, tasks=True, begin=5)),
        leaks=(Leak(how="objects", names=("orders.tasks.capture",), objects=(0, 5)),), harmless=("pool", "sessions"),
    ),
    Program(
        name="prefork three leaks of eight, steady", half="tuning", server="prefork", steady=True,
        names=evenly(named(8, tasks=True, begin=6)),
        leaks=(
            Leak(how="objects", names=("stock.tasks.count",)),
            Leak(how="lines", names=("crm.push",), objects=(2, 2)),
            Leak(how="cached", names=("orders.tasks.refund",)),
        ),
    ),
    Program(
        name="threads cached of six", half="tuning", server="threads", names=zipf(named(6, tasks=True, begin=2)),
        leaks=(Leak(how="cached", names=("shop.tasks.thumbnail",)),), processes=1,
    ),
    Program(
        name="threads closures of twelve in waves", half="tuning", server="threads", waves=True, processes=1,
        names=zipf(named(12, tasks=True, begin=20)),
        leaks=(Leak(how="closures", names=("orders.tasks.track",), objects=(2, 4)),),
    ),
    Program(
        name="threads timer of twelve", half="tuning", server="threads", names=zipf(named(12, tasks=True)),
        ticking="timer", harmless=("cache",), processes=1,
    ),
    Program(
        name="gevent thread beside a leak of nine", half="tuning", server="gevent", processes=1,
        names=zipf(named(9, tasks=True, begin=11), 0.8), ticking="thread",
        leaks=(Leak(how="lines", names=("orders.tasks.refund",), objects=(1, 3)),),
    ),
)  # fmt: skip
