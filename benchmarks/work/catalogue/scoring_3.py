"""A third scoring half, again by somebody who had not read the rules, and written before any of it was judged.

Seven programs leak by one name or two, six by none, and in three every job keeps something. No rule is changed by
looking at them. Names, leaks and all that is kept are others than in the other halves.
"""

from __future__ import annotations

from benchmarks.work.catalogue.names import farm, flights
from benchmarks.work.program import Leak, Program, evenly, leaning, zipf

SOME_LEAK = (
    Program(
        name="sync labels of twenty-four by Zipf, three innocent names together", half="scoring-3", server="sync",
        names=zipf(flights(24), 0.8), per_second=36,
        together=(("flight:search", "flight.views.prices", "flight:seats"),),
        leaks=(Leak(how="labels", names=("flight:status",), objects=(4, 4)),), harmless=("windows",),
    ),
    Program(
        name="gthread one exception of eight, raised again by one of a pair in bursts", half="scoring-3",
        server="gthread", names=evenly(flights(8, begin=9)), bursts=True,
        together=(("booking:pay", "booking:receipt"),),
        leaks=(Leak(how="reraised", names=("booking:receipt",), objects=(1, 2)),), harmless=("links",),
    ),
    Program(
        name="asgi mailboxes of seventeen, the load rises", half="scoring-3", server="asgi",
        names=zipf(flights(17, begin=14), 0.9), ramp=True, processes=1,
        leaks=(Leak(how="mailboxes", names=("boarding:bags",), objects=(3, 3)),), harmless=("vouchers",),
    ),
    Program(
        name="prefork mails of twenty-nine beside three threads", half="scoring-3", server="prefork",
        names=zipf(farm(29, begin=2), 0.6), per_second=40, ticking="patrol",
        together=(("herd.tasks.feed", "herd.water"), ("field.tasks.plough", "field.tasks.sow", "field.spray")),
        leaks=(Leak(how="mails", names=("herd.vaccinate",), every=2, objects=(10, 10)),), harmless=("languages",),
    ),
    Program(
        name="threads postponed tasks of eleven in waves", half="scoring-3", server="threads", processes=1,
        names=zipf(farm(11, begin=20), 0.9), waves=True,
        leaks=(Leak(how="postponed", names=("weather.warn",), objects=(2, 2)),), harmless=("replies",),
    ),
    Program(
        name="gevent greenlets of five, by chance, two names leak", half="scoring-3", server="gevent", processes=1,
        names=zipf(farm(5, begin=9), 0.4), slow={"field.tasks.harvest": 0.1},
        leaks=(Leak(how="greenlets", names=("field.soil", "milk.test"), objects=(0, 2)),), harmless=("dialogs",),
    ),
    Program(
        name="prefork feed of nineteen whose favourites change", half="scoring-3", server="prefork",
        names=zipf(farm(19, begin=7), 1.1), moves=400,
        leaks=(Leak(how="feed", names=("market.tasks.quote",), objects=(2, 3)),), harmless=("windows", "dialogs"),
    ),
)  # fmt: skip

NONE_LEAKS = (
    Program(
        name="sync none of twenty-six, the load rises, windows that end", half="scoring-3", server="sync",
        names=zipf(flights(26, begin=5), 0.9), per_second=40, ramp=True, harmless=("windows", "dialogs"),
    ),
    Program(
        name="gthread none of thirteen, a sweep now and then", half="scoring-3", server="gthread",
        names=evenly(flights(13, begin=18)), per_second=40, harmless=("replies",),
    ),
    Program(
        name="asgi none of thirty, each entry has its own time", half="scoring-3", server="asgi", processes=1,
        names=zipf(flights(30, begin=11), 0.7), harmless=("vouchers", "dialogs"),
    ),
    Program(
        name="prefork none of twenty, a warm-up in steps and a pool that fills slowly", half="scoring-3",
        server="prefork", names=zipf(farm(20, begin=12), 0.8), harmless=("languages", "links"),
    ),
    Program(
        name="threads none of seven in bursts, a thread at a wandering pace", half="scoring-3", server="threads",
        processes=1, names=leaning(farm(7, begin=25), {"office.tasks.tax": 0.4}), bursts=True, ticking="wanderer",
        harmless=("dialogs",),
    ),
    Program(
        name="gevent none of fifteen, garbage that waits", half="scoring-3", server="gevent", processes=1,
        names=zipf(farm(15, begin=3), 1.0), moves=1200, harmless=("uncollected", "dialogs"),
    ),
)  # fmt: skip

EVERY_JOB_KEEPS = (
    Program(
        name="sync none of twenty-seven, every statement is kept", half="scoring-3", server="sync",
        names=zipf(flights(27, begin=22), 1.0), in_a_row=6, every_job="statements", harmless=("vouchers",),
    ),
    Program(
        name="threads none of nine in waves, a thread writes every job down", half="scoring-3", server="threads",
        processes=1, names=zipf(farm(9, begin=15), 0.7), waves=True, slow={"machine.repair": 0.04},
        every_job="recorder",
    ),
    Program(
        name="asgi none of twenty-two whose favourites change, every record is kept", half="scoring-3", server="asgi",
        names=zipf(flights(22, begin=2), 0.9), moves=300, every_job="records", harmless=("links",),
    ),
)  # fmt: skip

PROGRAMS = (*SOME_LEAK, *NONE_LEAKS, *EVERY_JOB_KEEPS)
