"""Programs that no rule is changed for. What is right was written before memwatch was first asked."""

from __future__ import annotations

from signal import SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM

from benchmarks.deaths.program import (
    EXPORT,
    GONE,
    IDLE,
    KERNEL,
    LIMIT_MB,
    LONG,
    MUCH,
    OOM,
    STOPPED,
    UNSEEN,
    Again,
    Control,
    End,
    Neighbour,
    Program,
    Replace,
    Restart,
    Signal,
    Start,
    Wait,
)

SCORING = (
    # The kernel kills for lack of memory.
    Program(
        name="sync: a view grows too much", half="scoring", server="sync", limit_mb=LIMIT_MB,
        do=(Start(deed="grow", amount=MUCH),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="gthread: a view grows too much among others", half="scoring", server="gthread", limit_mb=LIMIT_MB,
        do=(Start(deed="grow", amount=MUCH),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="gunicorn uvicorn: a view takes too much", half="scoring", server="gunicorn uvicorn", limit_mb=LIMIT_MB,
        do=(Start(deed="take", amount=MUCH, name="feed"),), ends=(End(right=KERNEL, job="feed", who="doer"),),
    ),
    Program(
        name="threads: a task grows too much among others", half="scoring", server="threads", limit_mb=LIMIT_MB,
        beside=True, do=(Start(deed="grow", amount=MUCH),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: a task makes lists", half="scoring", server="prefork", limit_mb=LIMIT_MB,
        do=(Start(deed="lists", amount=MUCH),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: a slow leak in two children", half="scoring", server="prefork", limit_mb=LIMIT_MB,
        do=(Again(deed="leak", amount=25),), ends=(End(right=KERNEL, at_most=2),),
    ),
    Program(
        name="solo: a slow leak", half="scoring", server="solo", limit_mb=LIMIT_MB, beside=True,
        do=(Again(deed="leak", amount=25),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="script: it grows too much", half="scoring", server="script", limit_mb=LIMIT_MB, beside=True,
        do=(Start(deed="grow", amount=MUCH),), ends=(End(right=KERNEL, job=IDLE, who="main"),),
    ),
    Program(
        name="script: it takes too much, alone, and is started again", half="scoring", server="script",
        limit_mb=LIMIT_MB, do=(Start(deed="take", amount=MUCH), Restart()),
        ends=(End(right=OOM, job=IDLE, who="main"),),
    ),
    Program(
        name="prefork: a neighbour is killed", half="scoring", server="prefork", limit_mb=LIMIT_MB,
        do=(Neighbour(mb=MUCH, seconds=3),),
    ),
    Program(
        name="prefork: a neighbour's growth kills an idle child", half="scoring", server="prefork",
        limit_mb=LIMIT_MB, busy=False,
        do=(Start(deed="leak", amount=80), Wait(8), Neighbour(mb=MUCH, spared=True)),
        ends=(End(right=KERNEL, job=IDLE, who="doer"),),
    ),
    Program(
        name="gthread: a neighbour's growth kills a worker with a view", half="scoring", server="gthread",
        limit_mb=LIMIT_MB, do=(Start(deed="grow", amount=80), Neighbour(mb=MUCH, spared=True, seconds=6)),
        ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: the sum of three workers", half="scoring", server="sync", processes=3, limit_mb=LIMIT_MB,
        busy=False, do=(Start(deed="grow", amount=120, times=3),),
        ends=(End(right=KERNEL, job=EXPORT, who="doer", at_most=3),),
    ),
    Program(
        name="prefork: a neighbour is killed, and in the same second a child by somebody", half="scoring",
        server="prefork", limit_mb=LIMIT_MB,
        do=(
            Start(deed="sleep", amount=LONG), Wait(3), Neighbour(mb=MUCH, seconds=3),
            Signal(number=SIGKILL, to="doer"),
        ),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="gthread: a neighbour is killed, and later a worker by somebody", half="scoring", server="gthread",
        limit_mb=LIMIT_MB, busy=False, do=(Neighbour(mb=MUCH), Wait(12), Signal(number=SIGKILL)),
        ends=(End(right=("sigkill",), job=IDLE),),
    ),
    Program(
        name="prefork: the whole cgroup", half="scoring", server="prefork", limit_mb=LIMIT_MB, whole_group=True,
        beside=True, do=(Start(deed="grow", amount=MUCH),),
        ends=(
            End(right=("oom_container",), job=EXPORT, who="doer"),
            End(right=("oom_container",), who="main"),
            End(right=("oom_container",)),
        ),
    ),
    Program(
        name="solo: the first process of a container, started again", half="scoring", server="solo", apart=True,
        limit_mb=LIMIT_MB, do=(Start(deed="grow", amount=MUCH), Restart()),
        ends=(End(right=OOM, job=EXPORT, who="doer"),),
    ),
    # MemoryError under a limit of the address space.
    Program(
        # At first declared as survived by all. But Celery's main process ends at it, with 1, and its children with it.
        name="prefork: MemoryError in a task", half="scoring", server="prefork", address_space_mb=2000,
        do=(Start(deed="take", amount=4000),),
        ends=(End(right=("crash",), who="main"), End(right=STOPPED, at_least=2, at_most=4)),
    ),
    Program(
        name="command: MemoryError", half="scoring", server="command", address_space_mb=2000, beside=True,
        do=(Start(deed="take", amount=4000),), ends=(End(right=("crash",), who="main"),),
    ),
    # Somebody sends SIGKILL.
    Program(
        name="prefork: SIGKILL while idle", half="scoring", server="prefork", busy=False,
        do=(Signal(number=SIGKILL),), ends=(End(right=("sigkill",), job=IDLE),),
    ),
    Program(
        name="sync: SIGKILL in a view's loop", half="scoring", server="sync",
        do=(Start(deed="spin", amount=LONG), Wait(4), Signal(number=SIGKILL, to="doer")),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="gunicorn uvicorn: SIGKILL in an asynchronous view", half="scoring", server="gunicorn uvicorn",
        do=(Start(deed="sleep", amount=LONG, name="feed"), Wait(3), Signal(number=SIGKILL, to="doer")),
        ends=(End(right=("sigkill",), job="feed", who="doer"),),
    ),
    Program(
        name="uvicorn: SIGKILL while idle", half="scoring", server="uvicorn", processes=1, busy=False, beside=True,
        do=(Signal(number=SIGKILL, to="main"),), ends=(End(right=("sigkill",), job=IDLE, who="main"),),
    ),
    Program(
        name="prefork: SIGKILL of the main process with a task", half="scoring", server="prefork", beside=True,
        do=(Start(deed="sleep", amount=LONG), Wait(3), Signal(number=SIGKILL, to="main")),
        ends=(
            End(right=("sigkill",), job=EXPORT, who="doer"),
            End(right=("sigkill",), who="main"),
            End(right=("sigkill",)),
        ),
    ),
    Program(
        name="sync: SIGKILL of the main process", half="scoring", server="sync", busy=False,
        do=(Signal(number=SIGKILL, to="main"),), ends=(End(right=STOPPED, at_least=2, at_most=2),),
    ),
    Program(
        name="sync: all workers are killed at once", half="scoring", server="sync", processes=3, busy=False,
        do=(Signal(number=SIGKILL, to="children"),), ends=(End(right=UNSEEN, job=IDLE, at_least=3, at_most=3),),
    ),
    Program(
        name="sync: all workers are killed at once, with another process beside", half="scoring", server="sync",
        processes=3, busy=False, beside=True, do=(Signal(number=SIGKILL, to="children"),),
        ends=(End(right=("sigkill",), job=IDLE, at_least=3, at_most=3),),
    ),
    Program(
        name="prefork: all children are killed at once", half="scoring", server="prefork", processes=3, busy=False,
        do=(Signal(number=SIGKILL, to="children"),), ends=(End(right=("sigkill",), job=IDLE, at_least=3, at_most=3),),
    ),
    Program(
        name="prefork: killed three seconds after its start", half="scoring", server="prefork", busy=False,
        do=(Signal(number=SIGKILL), Replace(after_s=3.0), Signal(number=SIGKILL, to="newest")),
        ends=(End(right=("sigkill",), job=IDLE, at_least=2, at_most=2),),
    ),
    # Crashes.
    Program(
        name="prefork: SIGSEGV", half="scoring", server="prefork", do=(Start(deed="segv"),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="gthread: SIGBUS", half="scoring", server="gthread", do=(Start(deed="bus"),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: os.abort", half="scoring", server="prefork", do=(Start(deed="abort"),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: os._exit(3), at which gunicorn halts", half="scoring", server="sync",
        do=(Start(deed="exit", amount=3),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"), End(right=STOPPED)),
    ),
    Program(
        name="uvicorn: SIGSEGV in one of two workers", half="scoring", server="uvicorn", do=(Start(deed="segv"),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="threads: the stack overflows", half="scoring", server="threads", beside=True,
        do=(Start(deed="recursion"),), ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="command: SIGSEGV", half="scoring", server="command", beside=True, do=(Start(deed="segv"),),
        ends=(End(right=("crash",), job=EXPORT, who="main"),),
    ),
    Program(
        name="command: an uncaught exception", half="scoring", server="command", beside=True, do=(Start(deed="fail"),),
        ends=(End(right=("crash",), who="main"),),
    ),
    # Deploys.
    Program(
        name="gthread: SIGTERM with a view", half="scoring", server="gthread",
        do=(Start(deed="sleep", amount=6), Signal(number=SIGTERM, to="main")),
        ends=(End(right=STOPPED, at_least=2, at_most=2),),
    ),
    Program(
        name="sync: SIGQUIT with a view", half="scoring", server="sync",
        do=(Start(deed="sleep", amount=20), Wait(2), Signal(number=SIGQUIT, to="main")),
        ends=(End(right=STOPPED, at_least=2, at_most=2),),
    ),
    Program(
        name="uvicorn: Ctrl-C with a view", half="scoring", server="uvicorn", processes=1, beside=True,
        do=(Start(deed="sleep", amount=6), Wait(1), Signal(number=SIGINT, to="main")),
        ends=(End(right=STOPPED, who="main"),),
    ),
    Program(
        name="prefork: cold shutdown with a task", half="scoring", server="prefork",
        do=(Start(deed="sleep", amount=LONG), Wait(2), Signal(number=SIGQUIT, to="main")),
        ends=(End(right=STOPPED, who="main"), End(right=STOPPED, at_least=2, at_most=2)),
    ),
    Program(
        name="gthread: reload with HUP and a view", half="scoring", server="gthread",
        do=(Start(deed="sleep", amount=6), Signal(number=SIGHUP, to="main")),
        ends=(End(right=STOPPED, at_least=2, at_most=2),),
    ),
    Program(
        name="sync: a view outlasts the deploy", half="scoring", server="sync", options=("--graceful-timeout", "4"),
        do=(Start(deed="sleep", amount=25), Wait(1), Signal(number=SIGTERM, to="main")),
        ends=(
            End(right=("sigkill", "time_limit", "stopped"), job=EXPORT, who="doer"),
            End(right=STOPPED),
        ),
    ),
    Program(
        name="script: SIGTERM", half="scoring", server="script", beside=True, do=(Signal(number=SIGTERM, to="main"),),
        ends=(End(right=STOPPED, who="main"),),
    ),
    Program(
        name="gunicorn uvicorn: SIGTERM to all processes", half="scoring", server="gunicorn uvicorn", busy=False,
        do=(Signal(number=SIGTERM, to="all"),), ends=(End(right=STOPPED, at_least=2, at_most=4),),
    ),
    # Time limits.
    Program(
        name="sync: gunicorn's timeout in C", half="scoring", server="sync", options=("--timeout", "6"),
        do=(Start(deed="blocked", amount=60),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: gunicorn's timeout while it waits", half="scoring", server="sync", options=("--timeout", "6"),
        do=(Start(deed="sleep", amount=LONG),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="gunicorn uvicorn: gunicorn's timeout in the event loop", half="scoring", server="gunicorn uvicorn",
        options=("--timeout", "6"), do=(Start(deed="spin", amount=LONG, name="feed"),),
        ends=(End(right=("time_limit",), job="feed", who="doer"),),
    ),
    Program(
        name="prefork: a task's own hard time limit", half="scoring", server="prefork",
        do=(Start(deed="sleep", amount=LONG, name="limited"),),
        ends=(End(right=("time_limit",), job="limited", who="doer"),),
    ),
    # Recycled, and less of them.
    Program(
        name="prefork: max_memory_per_child", half="scoring", server="prefork",
        options=("--max-memory-per-child", "160000"), do=(Start(deed="leak", amount=150),),
        ends=(End(right=("recycled",), who="doer"),),
    ),
    Program(
        name="gthread: max_requests", half="scoring", server="gthread", options=("--max-requests", "40"),
        do=(Wait(20),), ends=(End(right=("recycled",), at_most=20),),
    ),
    Program(
        name="prefork: the pool shrinks", half="scoring", server="prefork", processes=3, busy=False,
        do=(Control(name="pool_shrink"),), ends=(End(right=STOPPED, job=IDLE),),
    ),
    Program(
        name="prefork: revoke with SIGKILL", half="scoring", server="prefork",
        do=(Start(deed="sleep", amount=LONG), Wait(3), Control(name="revoke with SIGKILL")),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: a fork in a task fails", half="scoring", server="prefork", busy=False,
        do=(Start(deed="fork and fail", amount=4),), ends=(End(right=("crash",), who="forked"),),
    ),
    Program(
        name="sync: a fork in a view ends well", half="scoring", server="sync", busy=False,
        do=(Start(deed="fork", amount=12),), ends=(End(right=STOPPED, who="forked"),),
    ),
    # Through Redis, and at an interval of a minute.
    Program(
        name="sync: a view grows too much, through Redis", half="scoring", server="sync", transport="redis",
        limit_mb=LIMIT_MB, do=(Start(deed="grow", amount=MUCH),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: the host is gone, through Redis", half="scoring", server="prefork", transport="redis",
        apart=True, beside=True, do=(Start(deed="sleep", amount=LONG), Wait(12), Signal(number=SIGKILL, to="main")),
        ends=(
            End(right=GONE, job=EXPORT, who="doer"),
            End(right=GONE, who="main"),
            End(right=GONE),
        ),
    ),
    Program(
        name="prefork: a task takes too much, at an interval of a minute", half="scoring", server="prefork",
        interval_s=60, limit_mb=LIMIT_MB, do=(Start(deed="take", amount=MUCH),),
        ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="gthread: SIGSEGV, at an interval of a minute", half="scoring", server="gthread", interval_s=60,
        do=(Start(deed="segv"),), ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
)  # fmt: skip
