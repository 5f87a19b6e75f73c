"""Programs by somebody who had not read the rules: in ten of sixteen, no name leaks, and memory does other things.

No rule is changed by looking at them. Names, leaks and all that is kept are others than in the other halves.
"""

from __future__ import annotations

from benchmarks.work.catalogue.names import campus, depots
from benchmarks.work.program import Leak, Program, evenly, leaning, zipf

NONE_LEAKS = (
    Program(
        name="sync none of thirty, many caches", half="scoring-2", server="sync", names=zipf(campus(30), 0.8),
        per_second=50, slow={"thesis.views.submit": 0.06},
        harmless=("quotes", "locmem", "words", "carts", "outbox", "reload", "trees"),
    ),
    Program(
        name="gthread none of fourteen in waves, a thread measures", half="scoring-2", server="gthread",
        names=evenly(campus(14, begin=4)), waves=True, ticking="sampler", harmless=("locmem",),
    ),
    Program(
        name="prefork none of eight, steady, a timer keeps texts", half="scoring-2", server="prefork",
        names=evenly(depots(8, begin=2)), steady=True, ticking="clock", harmless=("trees",),
    ),
    Program(
        name="threads none of twenty-two in waves as slow as a scheduler", half="scoring-2", server="threads",
        processes=1, names=zipf(depots(22, begin=5), 0.7), waves=True, ticking="cron", harmless=("carts", "refusals"),
    ),
    Program(
        name="sync none of seventeen, a middleware keeps every request", half="scoring-2", server="sync",
        names=zipf(campus(17, begin=9)), every_job="middleware", harmless=("quotes",),
    ),
    Program(
        name="prefork none of twenty-four, ten in a row, a signal keeps every state", half="scoring-2",
        server="prefork", names=evenly(depots(24, begin=11)), in_a_row=10, every_job="postrun", harmless=("outbox",),
    ),
    Program(
        name="asgi none of nineteen, caches that fill and are full", half="scoring-2", server="asgi",
        names=evenly(campus(19, begin=13)), harmless=("shelves", "quotes", "locmem", "words"),
    ),
    Program(
        name="gthread none of nine in waves, sessions that expire", half="scoring-2", server="gthread",
        names=leaning(campus(9, begin=21), {"campus:login": 0.5}), waves=True,
        harmless=("logins", "carts", "tokens"),
    ),
    Program(
        name="gevent none of twelve, a warm-up", half="scoring-2", server="gevent", processes=1,
        names=zipf(depots(12, begin=16), 0.5), harmless=("plans", "catalogue", "words"),
    ),
    Program(
        name="asgi none of twenty-six in bursts, garbage in cycles", half="scoring-2", server="asgi", processes=1,
        names=zipf(campus(26, begin=2), 0.9), bursts=True, harmless=("rarely", "trees", "recursion", "refusals"),
    ),
)  # fmt: skip

SOME_LEAK = (
    Program(
        name="sync templates of ten, sessions that expire", half="scoring-2", server="sync",
        names=zipf(campus(10, begin=6), 0.7),
        leaks=(Leak(how="templates", names=("exam.views.appeal",), objects=(2, 2)),), harmless=("logins", "reload"),
    ),
    Program(
        name="gthread chain of twenty by two names in bursts", half="scoring-2", server="gthread",
        names=evenly(campus(20, begin=15)), bursts=True, per_second=36,
        together=(("dorm:repair", "dorm:contract"), ("thesis:topic", "thesis:review")),
        leaks=(Leak(how="chain", names=("canteen.views.top_up", "thesis:review"), objects=(2, 3)),),
        harmless=("shelves", "trees"),
    ),
    Program(
        name="asgi waiting tasks of fifteen beside a loop", half="scoring-2", server="asgi", processes=1,
        names=zipf(campus(15, begin=24), 0.6), ticking="loop",
        leaks=(Leak(how="waiting", names=("campus:map",)),), harmless=("carts",),
    ),
    Program(
        name="prefork ledger and workflows of twenty-eight", half="scoring-2", server="prefork",
        names=zipf(depots(28, begin=3), 0.6), per_second=40,
        leaks=(
            Leak(how="ledger", names=("route.tasks.close",), objects=(4, 4)),
            Leak(how="workflows", names=("hub.load",), every=3, objects=(9, 9)),
        ),
        harmless=("catalogue", "recursion"),
    ),
    Program(
        name="threads exports of six, another name slow and dominant", half="scoring-2", server="threads", processes=1,
        names=leaning(depots(6, begin=20), {"address.verify": 0.55, "invoice.send": 0.06}), per_second=24,
        slow={"address.verify": 0.05},
        leaks=(Leak(how="exports", names=("invoice.send",), objects=(2, 4)),), harmless=("tokens", "refusals"),
    ),
    Program(
        name="gevent subscriptions of thirteen, a base class keeps every outcome", half="scoring-2", server="gevent",
        processes=1, names=zipf(depots(13, begin=26), 0.8), every_job="base",
        leaks=(Leak(how="subscriptions", names=("stats.tasks.export",)),), harmless=("quotes",),
    ),
)  # fmt: skip

PROGRAMS = (*NONE_LEAKS, *SOME_LEAK)
