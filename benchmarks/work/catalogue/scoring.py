"""Programs that no rule is changed by looking at: other leaks, places, names and loads than the tuning half's."""

from __future__ import annotations

from benchmarks.work.catalogue.names import desks, shifts
from benchmarks.work.program import Leak, Program, evenly, leaning, zipf

PROGRAMS = (
    Program(
        name="sync dicts of eleven, each fifth call", half="scoring", server="sync", names=zipf(desks(11), 0.8),
        leaks=(Leak(how="dicts", names=("news.views.search",), every=5, objects=(20, 20)),), harmless=("report",),
    ),
    Program(
        name="sync users of twenty-one, one name four times the other", half="scoring", server="sync",
        names=evenly(desks(21, begin=5)), per_second=36,
        leaks=(
            Leak(how="users", names=("comments:post", "pay:offer"), objects=(1, 1), times={"comments:post": 4}),
        ),
        harmless=("cache", "failing"),
    ),
    Program(
        name="sync querysets of seven beside an irregular thread", half="scoring", server="sync",
        names=zipf(desks(7, begin=19), 0.5), ticking="irregular",
        leaks=(Leak(how="querysets", names=("pay.views.card",)),), harmless=("sessions",),
    ),
    Program(
        name="sync defaults of thirteen, a culprit with a few calls an hour", half="scoring", server="sync",
        names=leaning(desks(13, begin=9), {"comments.views.vote": 0.003}),
        leaks=(Leak(how="defaults", names=("comments.views.vote",), objects=(150, 150)),),
        harmless=("fragments", "garbage"),
    ),
    Program(
        name="sync none of twenty-eight, busy", half="scoring", server="sync", names=zipf(desks(28), 0.7),
        per_second=50, bursts=True, slow={"archive.views.scan": 0.08},
        harmless=("cache", "sessions", "recent", "garbage", "batch", "report", "imports", "failing"),
    ),
    Program(
        name="gthread tracebacks of sixteen, only where it fails", half="scoring", server="gthread",
        names=zipf(desks(16, begin=12), 0.8),
        leaks=(Leak(how="tracebacks", names=("ads.views.click",), objects=(0, 1)),), harmless=("failing", "recent"),
    ),
    Program(
        name="gthread lazies of nine in spells", half="scoring", server="gthread", names=evenly(desks(9, begin=22)),
        leaks=(Leak(how="lazies", names=("desk:picture",), objects=(2, 2), spell_s=15),), harmless=("pool",),
    ),
    Program(
        name="gthread locks of twenty-five, some together", half="scoring", server="gthread",
        names=zipf(desks(25, begin=2), 0.9), per_second=40,
        together=(("news:section", "news:author", "ads:slot"), ("reader:saved", "reader.views.follow")),
        leaks=(Leak(how="locks", names=("news:author",), objects=(4, 4)),), harmless=("cache", "imports"),
    ),
    Program(
        name="gthread none of twelve, a handler keeps at every job", half="scoring", server="gthread",
        names=zipf(desks(12, begin=14)), every_job="handler", harmless=("garbage", "report"),
    ),
    Program(
        name="asgi feeds of eight in waves", half="scoring", server="asgi", names=evenly(desks(8, begin=1)),
        waves=True, processes=1, leaks=(Leak(how="feeds", names=("archive:issue",), objects=(3, 3)),),
        harmless=("fragments",),
    ),
    Program(
        name="asgi spans of nineteen, one name three times the other", half="scoring", server="asgi",
        names=zipf(desks(19, begin=7), 0.5),
        leaks=(Leak(how="spans", names=("archive:page", "reader:profile"), times={"reader:profile": 3}),),
        harmless=("sessions", "batch"),
    ),
    Program(
        name="asgi timeline of thirty by Zipf", half="scoring", server="asgi", names=zipf(desks(30), 1.0),
        per_second=36, processes=1,
        leaks=(Leak(how="timeline", names=("news:section",), objects=(4, 8)),), harmless=("recent", "report"),
    ),
    Program(
        name="asgi none of fifteen, a cache that fills", half="scoring", server="asgi", names=zipf(desks(15, begin=10)),
        bursts=True, harmless=("fragments", "imports", "pages"),
    ),
    Program(
        name="prefork finalizers of ten, a culprit with a few calls an hour", half="scoring", server="prefork",
        names=leaning(shifts(10), {"grid.outage": 0.004, "meter.tasks.read": 0.4}),
        leaks=(Leak(how="finalizers", names=("grid.outage",), objects=(120, 180)),), harmless=("cache", "batch"),
    ),
    Program(
        name="prefork samples of eighteen by Zipf", half="scoring", server="prefork", names=zipf(shifts(18, begin=3)),
        leaks=(Leak(how="samples", names=("bill.tasks.draw",), objects=(30, 30)),), harmless=("sessions",),
    ),
    Program(
        name="prefork two leaks of twenty-two, some together", half="scoring", server="prefork",
        names=evenly(shifts(22, begin=6)), per_second=40,
        together=(("bill.tasks.draw", "bill.tasks.post"), ("plant.tasks.poll", "plant.ramp")),
        leaks=(
            Leak(how="tickets", names=("crew.tasks.dispatch",), objects=(3, 3)),
            Leak(how="chunks", names=("bill.tasks.post",), objects=(8, 8)),
        ),
        harmless=("garbage",),
    ),
    Program(
        name="prefork none of nine, an import in the background", half="scoring", server="prefork",
        names=evenly(shifts(9, begin=11)), waves=True, ticking="import", harmless=("recent", "imports"),
    ),
    Program(
        name="prefork methods of five beside a scheduler in bursts", half="scoring", server="prefork",
        names=evenly(shifts(5, begin=15)), bursts=True, ticking="scheduler",
        leaks=(Leak(how="methods", names=("plant.tasks.poll",)),), harmless=("cache",),
    ),
    Program(
        name="threads memo of fourteen, eight in a row", half="scoring", server="threads",
        names=zipf(shifts(14, begin=18), 0.6), in_a_row=8, processes=1,
        leaks=(Leak(how="memo", names=("crew.roster",), objects=(6, 6)),), harmless=("report",),
    ),
    Program(
        name="threads promises of six, an innocent name dominant", half="scoring", server="threads", processes=1,
        names=leaning(shifts(6, begin=9), {"market.bid": 0.65}),
        leaks=(Leak(how="promises", names=("bill.tasks.dun",), objects=(2, 2)),), harmless=("failing", "batch"),
    ),
    Program(
        name="threads none of twenty, an irregular thread", half="scoring", server="threads", processes=1,
        names=zipf(shifts(20, begin=1), 1.1), ticking="irregular", harmless=("sessions", "report"),
    ),
    Program(
        name="gevent sets of twelve in bursts, each ninth call", half="scoring", server="gevent", processes=1,
        names=evenly(shifts(12, begin=20)), bursts=True,
        leaks=(Leak(how="sets", names=("audit.tasks.export",), every=9, objects=(20, 20)),), harmless=("pool",),
    ),
    Program(
        name="gevent tees of twenty-six by Zipf", half="scoring", server="gevent", processes=1,
        names=zipf(shifts(26, begin=4), 0.8), leaks=(Leak(how="tees", names=("bill.tasks.post",), objects=(2, 2)),),
        harmless=("cache", "recent"),
    ),
    Program(
        name="gevent letters of seventeen beside a timer", half="scoring", server="gevent", processes=1,
        names=zipf(shifts(17, begin=12), 0.6), ticking="timer",
        leaks=(Leak(how="letters", names=("plant.ramp",), objects=(2, 2)),), harmless=("batch",),
    ),
)  # fmt: skip
