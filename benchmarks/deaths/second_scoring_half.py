"""More programs that no rule is changed for, written when the first ones had been looked at.

What is right was written before memwatch was first asked.
"""

from __future__ import annotations

from signal import SIGHUP, SIGKILL, SIGTERM

from benchmarks.deaths.program import (
    EXPORT,
    KERNEL,
    LIMIT_MB,
    LONG,
    MUCH,
    STOPPED,
    Again,
    End,
    Neighbour,
    Program,
    Signal,
    Start,
    Wait,
)

SECOND_SCORING = (
    # The kernel kills for lack of memory.
    Program(
        name="prefork: the largest of three is killed while another grows", half="scoring-2", server="prefork",
        processes=3, limit_mb=LIMIT_MB, busy=False,
        do=(Start(deed="grow", amount=200), Wait(7), Start(deed="grow", amount=180)),
        ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="gthread: the whole cgroup", half="scoring-2", server="gthread", limit_mb=LIMIT_MB, whole_group=True,
        beside=True, do=(Start(deed="lists", amount=MUCH),),
        ends=(
            End(right=("oom_container",), job=EXPORT, who="doer"),
            End(right=("oom_container",)),
        ),
    ),
    Program(
        name="threads: a neighbour's growth kills the worker in a task", half="scoring-2", server="threads",
        limit_mb=LIMIT_MB, beside=True, do=(Start(deed="grow", amount=80), Neighbour(mb=MUCH, spared=True, seconds=6)),
        ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="threads: a neighbour is killed", half="scoring-2", server="threads", limit_mb=LIMIT_MB, beside=True,
        do=(Start(deed="sleep", amount=20), Neighbour(mb=MUCH, seconds=5)),
    ),
    # Somebody sends a signal.
    Program(
        name="gthread: SIGKILL while a view streams", half="scoring-2", server="gthread",
        do=(Start(deed="sleep", amount=LONG, name="stream"), Wait(4), Signal(number=SIGKILL, to="doer")),
        ends=(End(right=("sigkill",), job="stream", who="doer"),),
    ),
    Program(
        name="prefork: SIGTERM of a child in a task", half="scoring-2", server="prefork",
        do=(Start(deed="spin", amount=LONG), Wait(3), Signal(number=SIGTERM, to="doer")),
        ends=(End(right=("stopped",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: a supervisor's SIGKILL after SIGTERM", half="scoring-2", server="prefork", beside=True,
        do=(
            Start(deed="sleep", amount=LONG), Wait(2), Signal(number=SIGTERM, to="main"), Wait(6),
            Signal(number=SIGKILL, to="all"),
        ),
        ends=(
            End(right=("sigkill",), job=EXPORT, who="doer"),
            End(right=("sigkill",), who="main"),
            # Without a task, it may have ended already when the supervisor loses its patience.
            End(right=("sigkill", *STOPPED)),
        ),
    ),
    # Crashes.
    Program(
        name="gthread: os._exit(7) in a thread", half="scoring-2", server="gthread",
        do=(Start(deed="exit in a thread", amount=7),), ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="uvicorn: abort from C in one of two workers", half="scoring-2", server="uvicorn",
        do=(Start(deed="abort in C"),), ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: the stack overflows", half="scoring-2", server="sync", do=(Start(deed="recursion"),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    # Deploys.
    Program(
        name="gunicorn uvicorn: reload with HUP and a view", half="scoring-2", server="gunicorn uvicorn",
        do=(Start(deed="sleep", amount=5, name="feed"), Signal(number=SIGHUP, to="main")),
        ends=(End(right=STOPPED, at_least=2, at_most=2),),
    ),
    Program(
        name="threads: warm shutdown with a task", half="scoring-2", server="threads", beside=True,
        do=(Start(deed="sleep", amount=6), Signal(number=SIGTERM, to="main")),
        ends=(End(right=STOPPED, who="main"),),
    ),
    # Time limits.
    Program(
        name="prefork: hard time limit in C", half="scoring-2", server="prefork", options=("--time-limit", "6"),
        do=(Start(deed="blocked", amount=60),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: the soft time limit is ignored", half="scoring-2", server="prefork",
        options=("--soft-time-limit", "3", "--time-limit", "8"),
        do=(Start(deed="sleep through", amount=LONG),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="gthread: gunicorn's timeout in C", half="scoring-2", server="gthread", options=("--timeout", "6"),
        do=(Start(deed="blocked", amount=60),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    # Recycled.
    Program(
        name="gunicorn uvicorn: max_requests", half="scoring-2", server="gunicorn uvicorn",
        options=("--max-requests", "40"), do=(Wait(20),), ends=(End(right=("recycled",), at_most=20),),
    ),
    Program(
        name="prefork: max_tasks_per_child, through Redis", half="scoring-2", server="prefork", transport="redis",
        options=("--max-tasks-per-child", "25"), do=(Wait(20),), ends=(End(right=("recycled",), at_most=20),),
    ),
    Program(
        name="prefork: max_memory_per_child and a slow leak", half="scoring-2", server="prefork", limit_mb=LIMIT_MB,
        options=("--max-memory-per-child", "160000"), do=(Again(deed="leak", amount=25),),
        ends=(End(right=("recycled",), who="doer", at_most=2),),
    ),
)  # fmt: skip
