"""A fourth scoring half, by somebody who had not read the rules, and written before any of it was judged.

Eight programs leak by a name or several, eight by none. No rule is changed by looking at them. Names, leaks and all
that is kept are others than in the other halves; new are tasks within tasks, answers in pieces, seasons and pauses.
"""

from __future__ import annotations

from benchmarks.work.catalogue.names import hall, studio
from benchmarks.work.program import Leak, Program, evenly, leaning, zipf

SOME_LEAK = (
    Program(
        name="sync cookies of sixteen by Zipf, visits that are refused", half="scoring-4", server="sync",
        names=zipf(hall(16)),
        leaks=(Leak(how="cookies", names=("permit.views.neighbours",), objects=(4, 4)),),
        harmless=("refused", "firsts"),
    ),
    Program(
        name="sync compressors of twenty-five by one that streams, as its two companions do", half="scoring-4",
        server="sync", names=zipf(hall(25, begin=10), 0.6), per_second=36,
        together=(("register.views.certificate", "register:passport"), ("council:session", "council:motion")),
        streaming=("council.views.minutes", "council.views.live", "pool:hours"),
        leaks=(Leak(how="compressors", names=("council.views.live",), objects=(10, 10)),),
        harmless=("grants", "pictures"),
    ),
    Program(
        name="gthread databases of six, each other call, with pauses", half="scoring-4", server="gthread",
        names=evenly(hall(6, begin=23)), pauses=True,
        leaks=(Leak(how="databases", names=("street.views.report",), every=2, objects=(2, 2)),),
        harmless=("connections", "lane"),
    ),
    Program(
        name="gthread trails of twenty-one in seasons, two names leak", half="scoring-4", server="gthread",
        names=evenly(hall(21, begin=4)), per_second=36, seasons=220,
        together=(("waste:calendar", "waste.views.bulky", "waste:bins"),),
        leaks=(
            Leak(how="trails", names=("tax:dog", "park:spaces"), objects=(2, 4), times={"park:spaces": 2}),
        ),
        harmless=("remarks", "versions"),
    ),
    Program(
        name="asgi timeouts of eighteen, four names stream", half="scoring-4", server="asgi", processes=1,
        names=zipf(hall(18, begin=19), 0.7),
        streaming=("council.views.live", "pool:hours", "street:works", "permit:apply"),
        leaks=(Leak(how="timeouts", names=("street:works",), objects=(2, 2)),), harmless=("growing", "patterns"),
    ),
    Program(
        name="prefork payloads of fourteen by a task within others, sources by another", half="scoring-4",
        server="prefork", names=zipf(studio(14), 0.6), per_second=36,
        nested={"scene.tasks.grade": "scene.proxy", "caption.translate": "scene.proxy"},
        leaks=(
            Leak(how="payloads", names=("scene.proxy",), objects=(2, 2)),
            Leak(how="sources", names=("audio.tasks.level",), every=3, objects=(20, 20)),
        ),
        harmless=("uploads",),
    ),
    Program(
        name="threads trie of nine by a task with an innocent one within, in waves", half="scoring-4",
        server="threads", processes=1,
        names=leaning(studio(9, begin=17), {"rights.license": 0.3, "set.inventory": 0.05}),
        waves=True, nested={"set.inventory": "rights.license"}, slow={"cast.contract": 0.06},
        leaks=(Leak(how="trie", names=("set.inventory",), objects=(3, 5)),), harmless=("lane", "refused"),
    ),
    Program(
        name="gevent stubs of thirty by Zipf beside a profiler", half="scoring-4", server="gevent", processes=1,
        names=zipf(studio(30, begin=9), 0.9), per_second=36, ticking="profiler",
        leaks=(Leak(how="stubs", names=("caption.tasks.burn",), objects=(2, 2)),), harmless=("firsts",),
    ),
)  # fmt: skip

NONE_LEAKS = (
    Program(
        name="sync none of twenty-three in seasons, lists and caches with a cap", half="scoring-4", server="sync",
        names=zipf(hall(23, begin=7), 0.7), seasons=150, per_second=40,
        harmless=("remarks", "patterns", "versions", "refused"),
    ),
    Program(
        name="gthread none of eleven in bursts, a pool of connections", half="scoring-4", server="gthread",
        names=evenly(hall(11, begin=14)), bursts=True, slow={"council:session": 0.05},
        harmless=("connections", "lane", "growing"),
    ),
    Program(
        name="asgi none of seventeen, some stream, grants of two names", half="scoring-4", server="asgi",
        names=zipf(hall(17, begin=1), 0.5),
        together=(("waste:calendar", "waste:bins"), ("tax:assessment", "tax.views.instalments", "tax:dog")),
        streaming=("permit:status", "waste.views.bulky", "register:move"), harmless=("grants", "drafts"),
    ),
    Program(
        name="asgi none of five with pauses, a thread gives signs of life", half="scoring-4", server="asgi",
        processes=1, names=leaning(hall(5, begin=25), {"street.views.report": 0.5}), pauses=True, ticking="beats",
        harmless=("pictures",),
    ),
    Program(
        name="prefork none of twenty-nine, first calls load, leases of a timer", half="scoring-4", server="prefork",
        names=zipf(studio(29, begin=3), 0.8), per_second=40, in_a_row=5, ticking="leases", harmless=("firsts",),
    ),
    Program(
        name="prefork none of twelve with tasks within tasks, a queue whose worker rests", half="scoring-4",
        server="prefork", names=evenly(studio(12, begin=11)), waves=True,
        nested={"effect.tasks.render": "effect.compose", "cast.contract": "rights.check"},
        harmless=("uploads", "versions"),
    ),
    Program(
        name="gevent none of twenty, garbage that has grown old", half="scoring-4", server="gevent", processes=1,
        names=zipf(studio(20, begin=22), 1.1), pauses=True, harmless=("drafts", "pictures", "growing"),
    ),
    Program(
        name="threads none of eight, each thread keeps breadcrumbs", half="scoring-4", server="threads", processes=1,
        names=zipf(studio(8, begin=5), 0.4), bursts=True, every_job="breadcrumbs", harmless=("remarks", "refused"),
    ),
)  # fmt: skip

PROGRAMS = (*SOME_LEAK, *NONE_LEAKS)
