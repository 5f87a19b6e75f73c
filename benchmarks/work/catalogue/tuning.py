"""Programs that rules are looked at with."""

from __future__ import annotations

from benchmarks.work.catalogue.names import chores, named, screens
from benchmarks.work.program import Leak, Program, evenly, leaning, zipf

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
    Program(
        name="sync handler at every view of eleven", half="tuning", server="sync", names=zipf(named(11, begin=6), 0.8),
        every_job="handler", harmless=("cache", "garbage", "report"),
    ),
    Program(
        name="prefork handler at every task of nine, in waves", half="tuning", server="prefork", waves=True,
        names=zipf(named(9, tasks=True, begin=8)), every_job="handler", harmless=("recent", "batch"),
    ),
    Program(
        name="sync none of twenty, busy, late imports", half="tuning", server="sync", names=zipf(named(20), 0.7),
        per_second=50, bursts=True, harmless=("cache", "imports", "failing", "report"),
    ),
    # These were once the scoring half: they have been looked at.
    Program(
        name="sync singleton of nine, another name dominant", half="tuning", server="sync",
        names=leaning(screens(9), {"ward:patient": 0.6, "ward:bed": 0.07}),
        leaks=(Leak(how="singleton", names=("ward:bed",), objects=(2, 2)),), harmless=("pages",),
    ),
    Program(
        name="sync loggers of sixteen, a dozen in a row", half="tuning", server="sync",
        names=evenly(screens(16, begin=4)),
        in_a_row=12, leaks=(Leak(how="loggers", names=("lab.views.compare",), objects=(2, 2)),), harmless=("cache",),
    ),
    Program(
        name="sync wrapper around three of fourteen", half="tuning", server="sync",
        names=zipf(screens(14, begin=9), 0.6),
        leaks=(Leak(how="wrapper", names=("pharmacy:order", "pharmacy.views.stock", "billing:claim")),),
        harmless=("sessions", "batch"),
    ),
    Program(
        name="sync none of twenty-four in bursts", half="tuning", server="sync", names=zipf(screens(24), 0.9),
        bursts=True, harmless=("batch", "pages", "sessions", "failing"),
    ),
    Program(
        name="gthread receiver of eighteen in bursts", half="tuning", server="gthread",
        names=evenly(screens(18, begin=6)),
        bursts=True, leaks=(Leak(how="receiver", names=("lab:sample",), objects=(2, 2)),), harmless=("garbage",),
    ),
    Program(
        name="gthread errors of seven, each third call", half="tuning", server="gthread",
        names=zipf(screens(7, begin=14)),
        leaks=(Leak(how="errors", names=("pharmacy.views.stock",), every=3),), harmless=("failing", "cache"),
    ),
    Program(
        name="gthread futures of eleven, a slow culprit", half="tuning", server="gthread",
        names=zipf(screens(11, begin=2), 0.7), slow={"ward:visit": 0.25},
        leaks=(Leak(how="futures", names=("ward:visit",), objects=(2, 2)),), harmless=("sessions",),
    ),
    Program(
        name="gthread none of ten, one dominant", half="tuning", server="gthread",
        names=leaning(screens(10, begin=11), {"billing:home": 0.7}), harmless=("pages", "garbage", "batch"),
    ),
    Program(
        name="asgi uuids of twenty-two", half="tuning", server="asgi", names=zipf(screens(22), 1.1), processes=1,
        leaks=(Leak(how="uuids", names=("ward.views.search",), objects=(4, 4)),), harmless=("batch",),
    ),
    Program(
        name="asgi bytearrays of ten", half="tuning", server="asgi", names=evenly(screens(10, begin=7)),
        leaks=(Leak(how="bytearrays", names=("lab:upload",), objects=(3, 5)),), harmless=("recent", "cache"),
    ),
    Program(
        name="asgi two leaks of thirteen together", half="tuning", server="asgi", names=evenly(screens(13, begin=3)),
        together=(("ward:visit", "ward.views.chart"), ("lab:upload", "lab.views.compare", "lab:sample")), processes=1,
        leaks=(
            Leak(how="weak", names=("ward.views.chart",), objects=(2, 2)),
            Leak(how="streams", names=("billing:home",), objects=(3, 3)),
        ),
        harmless=("pool",),
    ),
    Program(
        name="prefork results of twelve, each seventh call", half="tuning", server="prefork",
        names=zipf(chores(12), 0.6),
        leaks=(Leak(how="results", names=("fleet.tasks.locate",), every=7, objects=(9, 9)),), harmless=("pages",),
    ),
    Program(
        name="prefork forms of eight, a rare culprit", half="tuning", server="prefork",
        names=leaning(chores(8, begin=5), {"tariff.tasks.import_zone": 0.03}),
        leaks=(Leak(how="forms", names=("tariff.tasks.import_zone",), objects=(4, 4)),), harmless=("sessions", "cache"),
    ),
    Program(
        name="prefork queue of ten that another name empties", half="tuning", server="prefork",
        names=evenly(chores(10, begin=9)),
        leaks=(Leak(how="queued", names=("driver.invite",), objects=(3, 3), taken_by="driver.tasks.pay"),),
        harmless=("garbage",),
    ),
    Program(
        name="prefork none of twelve, a score in a row", half="tuning", server="prefork",
        names=zipf(chores(12, begin=12)),
        in_a_row=20, slow={"report.daily": 0.1}, harmless=("cache", "batch", "pages", "failing"),
    ),
    Program(
        name="threads local of fifteen, ten in a row", half="tuning", server="threads",
        names=evenly(chores(15, begin=2)),
        in_a_row=10, processes=1,
        leaks=(Leak(how="local", names=("trip.close",), objects=(1, 2)),), harmless=("recent",),
    ),
    Program(
        name="threads floats of six, a slow innocent name", half="tuning", server="threads", processes=1,
        names=zipf(chores(6, begin=14), 0.5), slow={"report.daily": 0.2},
        leaks=(Leak(how="floats", names=("report.tasks.zones",)),), harmless=("batch",),
    ),
    Program(
        name="threads scheduler of thirteen in bursts", half="tuning", server="threads",
        names=zipf(chores(13, begin=7)),
        bursts=True, ticking="scheduler", harmless=("cache", "failing"), processes=1,
    ),
    Program(
        name="gevent weak of seventeen beside a scheduler", half="tuning", server="gevent", processes=1,
        names=zipf(chores(17, begin=4), 0.8), ticking="scheduler",
        leaks=(Leak(how="weak", names=("tariff.publish",)),), harmless=("pages",),
    ),
    Program(
        name="gevent callbacks of five in waves, equal weights", half="tuning", server="gevent",
        waves=True, processes=1,
        names=evenly(chores(5, begin=16)),
        leaks=(Leak(how="callbacks", names=("mail.tasks.receipt",), objects=(1, 3)),), harmless=("sessions", "batch"),
    ),
)  # fmt: skip
