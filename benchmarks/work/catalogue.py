"""The programs. Which half one is of, and what is right, was fixed before it was first judged."""

from __future__ import annotations

from benchmarks.work.program import Leak, Program, evenly, zipf

_PAGES = (
    "shop:product", "shop:category", "shop.views.search", "shop:basket", "shop:home", "shop.views.suggest",
    "shop:prices", "account:orders", "account:profile", "shop.views.compare", "shop:reviews", "shop:checkout",
    "account:login", "account.views.wishlist", "shop:delivery", "shop:stock", "shop.views.voucher", "shop:brands",
    "account:invoices", "shop:contact", "account.views.returns", "shop:newsletter", "shop:sitemap", "shop:terms",
    "account:password", "shop.views.feed", "shop:stores", "shop:jobs", "account:export", "shop.views.health",
)  # fmt: skip
_TASKS = (
    "shop.tasks.sync_prices", "shop.tasks.index_product", "mail.send", "shop.tasks.thumbnail", "stock.tasks.reserve",
    "shop.tasks.recommend", "mail.digest", "stock.tasks.count", "orders.tasks.invoice", "orders.tasks.capture",
    "shop.tasks.expire_baskets", "crm.push", "crm.pull", "orders.tasks.refund", "stock.tasks.reorder",
    "shop.tasks.warm_cache", "mail.bounces", "reports.sales", "reports.margin", "shop.tasks.feed_google",
    "shop.tasks.feed_idealo", "orders.tasks.track", "crm.segment", "stock.tasks.move", "shop.tasks.sitemap",
    "mail.newsletter", "reports.returns", "orders.tasks.archive", "shop.tasks.translate", "crm.forget",
)  # fmt: skip
_EVERYTHING_HARMLESS = ("cache", "sessions", "recent", "pool", "garbage")


def _of(count: int, *, tasks: bool = False, begin: int = 0) -> tuple[str, ...]:
    names = _TASKS if tasks else _PAGES
    return tuple(names[(begin + number) % len(names)] for number in range(count))


_TUNING = (
    Program(
        name="sync requests of five", half="tuning", server="sync", names=zipf(_of(5)),
        leaks=(Leak(how="requests", names=("shop:category",)),),
    ),
    Program(
        name="sync rows of twelve in waves", half="tuning", server="sync", names=zipf(_of(12)), waves=True,
        leaks=(Leak(how="rows", names=("shop:basket",)),), harmless=("sessions", "cache"),
    ),
    Program(
        name="sync none of thirty", half="tuning", server="sync", names=zipf(_of(30)),
        harmless=_EVERYTHING_HARMLESS,
    ),
    Program(
        name="gthread strings of eight", half="tuning", server="gthread", names=zipf(_of(8, begin=3)),
        leaks=(Leak(how="strings", names=("shop:prices",)),), harmless=("garbage",),
    ),
    Program(
        name="gthread objects of ten together", half="tuning", server="gthread", names=evenly(_of(10)),
        together=(("shop:product", "shop.views.suggest"), ("shop:basket", "shop:prices", "account:orders")),
        leaks=(Leak(how="objects", names=("shop:prices",), objects=(2, 2)),),
    ),
    Program(
        name="asgi closures of eight", half="tuning", server="asgi", names=zipf(_of(8, begin=9), 1.3),
        leaks=(Leak(how="closures", names=("shop:reviews",), objects=(2, 2)),), processes=1,
    ),
    Program(
        name="asgi every third of twenty", half="tuning", server="asgi", names=zipf(_of(20)), processes=1,
        leaks=(Leak(how="lines", names=("shop.views.search",), every=3, objects=(4, 4)),), harmless=("recent",),
    ),
    Program(
        name="prefork two leaks of fifteen", half="tuning", server="prefork", names=zipf(_of(15, tasks=True), 0.7),
        leaks=(
            Leak(how="objects", names=("shop.tasks.index_product",)),
            Leak(how="lines", names=("mail.digest",), objects=(2, 2)),
        ),
    ),
    Program(
        name="prefork by chance of ten", half="tuning", server="prefork", names=evenly(_of(10, tasks=True, begin=5)),
        leaks=(Leak(how="objects", names=("orders.tasks.capture",), objects=(0, 5)),), harmless=("pool", "sessions"),
    ),
    Program(
        name="prefork none of eight in waves", half="tuning", server="prefork", names=zipf(_of(8, tasks=True)),
        harmless=("cache", "sessions", "garbage"), waves=True,
    ),
    Program(
        name="threads cached of six", half="tuning", server="threads", names=zipf(_of(6, tasks=True, begin=2)),
        leaks=(Leak(how="cached", names=("shop.tasks.thumbnail",)),), processes=1,
    ),
    Program(
        name="threads timer of twelve", half="tuning", server="threads", names=zipf(_of(12, tasks=True)),
        ticking="timer", harmless=("cache",), processes=1,
    ),
    Program(
        name="gevent rows of ten", half="tuning", server="gevent", names=zipf(_of(10, tasks=True, begin=7)),
        leaks=(Leak(how="rows", names=("orders.tasks.invoice",)),), harmless=("recent",), processes=1,
    ),
    Program(
        name="gevent thread beside a leak of nine", half="tuning", server="gevent", processes=1,
        names=zipf(_of(9, tasks=True, begin=11), 0.8), ticking="thread",
        leaks=(Leak(how="lines", names=("orders.tasks.refund",), objects=(1, 3)),),
    ),
    Program(
        name="sync strings of six, steady", half="tuning", server="sync", names=evenly(_of(6, begin=10)), steady=True,
        leaks=(Leak(how="strings", names=("account:login",)),), harmless=("cache", "sessions"),
    ),
    Program(
        name="prefork three leaks of eight, steady", half="tuning", server="prefork", steady=True,
        names=evenly(_of(8, tasks=True, begin=6)),
        leaks=(
            Leak(how="objects", names=("stock.tasks.count",)),
            Leak(how="lines", names=("crm.push",), objects=(2, 2)),
            Leak(how="cached", names=("orders.tasks.refund",)),
        ),
    ),
)  # fmt: skip

_SCORING = (
    Program(
        name="sync cached of thirty", half="scoring", server="sync", names=zipf(_of(30, begin=6)),
        leaks=(Leak(how="cached", names=("account:profile",), objects=(1, 2)),), harmless=("sessions",),
    ),
    Program(
        name="sync two names of fourteen", half="scoring", server="sync", names=evenly(_of(14, begin=12)),
        leaks=(Leak(how="lines", names=("shop:stock", "account:invoices")),), harmless=("cache", "garbage"),
    ),
    Program(
        name="gthread by chance of twenty", half="scoring", server="gthread", names=zipf(_of(20, begin=15), 0.8),
        leaks=(Leak(how="objects", names=("account:invoices",), objects=(0, 6)),),
    ),
    Program(
        name="gthread thread of ten", half="scoring", server="gthread", names=zipf(_of(10, begin=20)),
        ticking="thread", harmless=("sessions", "recent"),
    ),
    Program(
        name="asgi requests of fifteen in waves", half="scoring", server="asgi", names=zipf(_of(15, begin=4)),
        leaks=(Leak(how="requests", names=("shop:prices",)),), waves=True, processes=1,
    ),
    Program(
        name="asgi objects of twelve together", half="scoring", server="asgi", names=evenly(_of(12, begin=8)),
        together=(("account:profile", "shop:checkout", "shop:delivery"), ("shop:stock", "shop:brands")),
        leaks=(Leak(how="objects", names=("shop:checkout",), objects=(2, 3)),), harmless=("pool",), processes=1,
    ),
    Program(
        name="asgi none of ten in waves", half="scoring", server="asgi", names=zipf(_of(10, begin=2)),
        harmless=_EVERYTHING_HARMLESS, waves=True, processes=1,
    ),
    Program(
        name="prefork strings of thirty", half="scoring", server="prefork", names=zipf(_of(30, tasks=True, begin=3)),
        leaks=(Leak(how="strings", names=("shop.tasks.recommend",)),), harmless=("recent", "garbage"),
    ),
    Program(
        name="prefork every third of nine together", half="scoring", server="prefork",
        names=evenly(_of(9, tasks=True, begin=17)),
        together=(("reports.sales", "reports.margin"), ("crm.segment", "stock.tasks.move")),
        leaks=(Leak(how="objects", names=("crm.segment",), every=3, objects=(5, 5)),),
    ),
    Program(
        name="prefork timer beside a leak of eleven", half="scoring", server="prefork", ticking="timer",
        names=zipf(_of(11, tasks=True, begin=14)),
        leaks=(Leak(how="rows", names=("mail.bounces",)),), harmless=("cache",),
    ),
    Program(
        name="threads closures of twelve in waves", half="scoring", server="threads", waves=True, processes=1,
        names=zipf(_of(12, tasks=True, begin=20)),
        leaks=(Leak(how="closures", names=("orders.tasks.track",), objects=(2, 4)),),
    ),
    Program(
        name="threads none of twenty", half="scoring", server="threads", names=zipf(_of(20, tasks=True, begin=5)),
        harmless=_EVERYTHING_HARMLESS, processes=1,
    ),
    Program(
        name="gevent objects of twenty-five", half="scoring", server="gevent", processes=1,
        names=zipf(_of(25, tasks=True, begin=10)),
        leaks=(Leak(how="objects", names=("crm.pull",), objects=(1, 2)),), harmless=("sessions", "cache"),
    ),
    Program(
        name="gevent timer of eight", half="scoring", server="gevent", names=evenly(_of(8, tasks=True, begin=1)),
        ticking="timer", harmless=("recent",), processes=1,
    ),
    Program(
        name="sync rows of seven, steady", half="scoring", server="sync", names=evenly(_of(7, begin=18)), steady=True,
        leaks=(Leak(how="rows", names=("account.views.returns",)),), harmless=("recent", "pool"),
    ),
    Program(
        name="prefork two leaks of six, steady", half="scoring", server="prefork", steady=True, processes=1,
        names=zipf(_of(6, tasks=True, begin=22), 0.5),
        leaks=(
            Leak(how="objects", names=("stock.tasks.move",)),
            Leak(how="closures", names=("orders.tasks.archive",), objects=(3, 3)),
        ),
    ),
)  # fmt: skip

PROGRAMS = {program.name: program for program in (*_TUNING, *_SCORING)}
