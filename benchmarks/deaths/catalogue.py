"""The programs. Which half one is of, and what is right to say, was fixed before memwatch was first asked."""

from __future__ import annotations

from signal import SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM

from benchmarks.deaths.program import (
    EXPORT,
    IDLE,
    OOM,
    STOPPED,
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
)  # fmt: skip

_OOM = ("oom_process",)
_UNSEEN = ("sigkill", "unknown")
"""Where all who could have seen it ended as well."""
_GONE = ("host_gone", "unknown", "sigkill")
_LIMIT_MB = 480.0
_MUCH = 700.0
"""MB: more than there is."""
_LONG = 100.0
"""Seconds: a job that is not done when it ends."""

_TUNING = (
    # The kernel kills for lack of memory.
    Program(
        name="prefork: a task takes too much", half="tuning", server="prefork", limit_mb=_LIMIT_MB,
        do=(Start(deed="take", amount=_MUCH),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="uvicorn: a view takes too much", half="tuning", server="uvicorn", processes=1, limit_mb=_LIMIT_MB,
        beside=True, do=(Start(deed="take", amount=_MUCH),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="solo: a task grows too much", half="tuning", server="solo", limit_mb=_LIMIT_MB, beside=True,
        do=(Start(deed="grow", amount=_MUCH),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: a slow leak", half="tuning", server="sync", processes=1, limit_mb=_LIMIT_MB, beside=True,
        do=(Again(deed="leak", amount=30),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="command: it takes too much", half="tuning", server="command", limit_mb=_LIMIT_MB, beside=True,
        do=(Start(deed="take", amount=_MUCH),), ends=(End(right=_OOM, job=EXPORT, who="main"),),
    ),
    Program(
        name="sync: a neighbour is killed", half="tuning", server="sync", limit_mb=_LIMIT_MB,
        do=(Neighbour(mb=_MUCH),),
    ),
    Program(
        name="sync: a neighbour's growth kills an idle worker", half="tuning", server="sync", limit_mb=_LIMIT_MB,
        busy=False, do=(Start(deed="leak", amount=80), Wait(8), Neighbour(mb=_MUCH, spared=True)),
        ends=(End(right=_OOM, job=IDLE, who="doer"),),
    ),
    Program(
        name="prefork: the sum of three children", half="tuning", server="prefork", processes=3, limit_mb=_LIMIT_MB,
        busy=False, do=(Start(deed="grow", amount=120, times=3),),
        ends=(End(right=_OOM, job=EXPORT, who="doer", at_most=3),),
    ),
    Program(
        name="sync: a neighbour is killed, and in the same second a worker by somebody", half="tuning", server="sync",
        limit_mb=_LIMIT_MB, busy=False, do=(Neighbour(mb=_MUCH), Signal(number=SIGKILL)),
        ends=(End(right=("sigkill",), job=IDLE),),
    ),
    Program(
        name="sync: the whole cgroup", half="tuning", server="sync", limit_mb=_LIMIT_MB, whole_group=True, beside=True,
        do=(Start(deed="grow", amount=_MUCH),),
        ends=(
            End(right=("oom_container",), job=EXPORT, who="doer"),
            End(right=("oom_container",), at_least=1, at_most=1),
        ),
    ),
    Program(
        name="uvicorn: the first process of a container", half="tuning", server="uvicorn", processes=1, apart=True,
        limit_mb=_LIMIT_MB, beside=True, do=(Start(deed="grow", amount=_MUCH),),
        ends=(End(right=OOM, job=EXPORT, who="doer"),),
    ),
    # MemoryError under a limit of the address space.
    Program(
        name="sync: MemoryError in a view", half="tuning", server="sync", address_space_mb=2000,
        do=(Start(deed="take", amount=4000), Wait(5)),
    ),
    Program(
        name="script: MemoryError", half="tuning", server="script", address_space_mb=2000, beside=True,
        do=(Start(deed="take", amount=4000),), ends=(End(right=("crash",), who="main"),),
    ),
    # Somebody sends SIGKILL.
    Program(
        name="sync: SIGKILL while idle", half="tuning", server="sync", busy=False, do=(Signal(number=SIGKILL),),
        ends=(End(right=("sigkill",), job=IDLE),),
    ),
    Program(
        name="prefork: SIGKILL in a task", half="tuning", server="prefork",
        do=(Start(deed="sleep", amount=_LONG), Wait(3), Signal(number=SIGKILL, to="doer")),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="threads: SIGKILL in a task", half="tuning", server="threads", beside=True,
        do=(Start(deed="sleep", amount=_LONG), Wait(2), Signal(number=SIGKILL, to="main")),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: SIGKILL of the main process", half="tuning", server="prefork", busy=False, beside=True,
        do=(Signal(number=SIGKILL, to="main"),),
        ends=(
            End(right=("sigkill",), job=IDLE, who="main"),
            End(right=("sigkill",), job=IDLE, at_least=2, at_most=2),
        ),
    ),
    Program(
        name="gthread: two of three are killed", half="tuning", server="gthread", processes=3, busy=False,
        do=(Signal(number=SIGKILL, count=2),), ends=(End(right=("sigkill",), job=IDLE, at_least=2, at_most=2),),
    ),
    Program(
        name="sync: killed half a second after its start", half="tuning", server="sync", busy=False,
        do=(Signal(number=SIGKILL), Replace(after_s=0.5), Signal(number=SIGKILL, to="newest")),
        ends=(
            End(right=("sigkill",), job=IDLE),
            End(right=_UNSEEN, job=IDLE, may_lack=True),
        ),
    ),
    # Crashes.
    Program(
        name="sync: SIGSEGV", half="tuning", server="sync", do=(Start(deed="segv"),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="solo: os.abort", half="tuning", server="solo", beside=True, do=(Start(deed="abort"),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: os._exit(3)", half="tuning", server="prefork", do=(Start(deed="exit", amount=3),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="script: an uncaught exception", half="tuning", server="script", beside=True, do=(Start(deed="fail"),),
        ends=(End(right=("crash",), who="main"),),
    ),
    Program(
        name="gunicorn uvicorn: SIGFPE", half="tuning", server="gunicorn uvicorn", do=(Start(deed="divide"),),
        ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    # Deploys.
    Program(
        name="sync: SIGTERM", half="tuning", server="sync", busy=False, do=(Signal(number=SIGTERM, to="main"),),
        ends=(End(right=STOPPED, at_least=2, at_most=2),),
    ),
    Program(
        name="uvicorn: SIGTERM", half="tuning", server="uvicorn", processes=1, beside=True, busy=False,
        do=(Signal(number=SIGTERM, to="main"),), ends=(End(right=STOPPED, who="main"),),
    ),
    Program(
        name="prefork: warm shutdown with a task", half="tuning", server="prefork",
        do=(Start(deed="sleep", amount=6), Signal(number=SIGTERM, to="main")),
        ends=(End(right=STOPPED, who="main"), End(right=STOPPED, at_least=2, at_most=2)),
    ),
    Program(
        name="sync: reload with HUP", half="tuning", server="sync", do=(Signal(number=SIGHUP, to="main"),),
        ends=(End(right=STOPPED, at_least=2, at_most=2),),
    ),
    Program(
        name="command: Ctrl-C", half="tuning", server="command", beside=True,
        do=(Start(deed="sleep", amount=_LONG), Wait(2), Signal(number=SIGINT, to="main")),
        ends=(End(right=STOPPED, who="main"),),
    ),
    Program(
        name="prefork: SIGTERM to all processes", half="tuning", server="prefork", busy=False, beside=True,
        do=(Signal(number=SIGTERM, to="all"),),
        ends=(End(right=STOPPED, who="main"), End(right=STOPPED, at_least=2, at_most=6)),
    ),
    # Time limits.
    Program(
        name="sync: gunicorn's timeout in a loop", half="tuning", server="sync", options=("--timeout", "6"),
        do=(Start(deed="spin", amount=_LONG),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: hard time limit", half="tuning", server="prefork", options=("--time-limit", "6"),
        do=(Start(deed="spin", amount=_LONG),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: soft time limit", half="tuning", server="prefork", options=("--soft-time-limit", "4"),
        do=(Start(deed="sleep", amount=_LONG), Wait(8)),
    ),
    # Recycled, and less of them.
    Program(
        name="prefork: max_tasks_per_child", half="tuning", server="prefork", options=("--max-tasks-per-child", "30"),
        do=(Wait(20),), ends=(End(right=("recycled",), at_most=20),),
    ),
    Program(
        name="sync: max_requests", half="tuning", server="sync", options=("--max-requests", "40"), do=(Wait(20),),
        ends=(End(right=("recycled",), at_most=20),),
    ),
    Program(
        name="prefork: revoke with terminate", half="tuning", server="prefork",
        do=(Start(deed="sleep", amount=_LONG), Wait(3), Control(name="revoke")),
        ends=(End(right=("stopped",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: SIGKILL of a fork in a view", half="tuning", server="sync", busy=False,
        do=(Start(deed="fork", amount=25), Wait(14), Signal(number=SIGKILL, to="forked")),
        ends=(End(right=("sigkill",), who="forked"),),
    ),
    # Through Redis, and at an interval of a minute.
    Program(
        name="prefork: SIGKILL in a task, through Redis", half="tuning", server="prefork", transport="redis",
        do=(Start(deed="sleep", amount=_LONG), Wait(2), Signal(number=SIGKILL, to="doer")),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: SIGSEGV, through Redis", half="tuning", server="sync", transport="redis",
        do=(Start(deed="segv"),), ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: SIGKILL in a view, at an interval of a minute", half="tuning", server="sync", interval_s=60,
        do=(Start(deed="sleep", amount=25), Wait(3), Signal(number=SIGKILL, to="doer")),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
)  # fmt: skip

_SCORING = (
    # The kernel kills for lack of memory.
    Program(
        name="sync: a view grows too much", half="scoring", server="sync", limit_mb=_LIMIT_MB,
        do=(Start(deed="grow", amount=_MUCH),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="gthread: a view grows too much among others", half="scoring", server="gthread", limit_mb=_LIMIT_MB,
        do=(Start(deed="grow", amount=_MUCH),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="gunicorn uvicorn: a view takes too much", half="scoring", server="gunicorn uvicorn", limit_mb=_LIMIT_MB,
        do=(Start(deed="take", amount=_MUCH, name="feed"),), ends=(End(right=_OOM, job="feed", who="doer"),),
    ),
    Program(
        name="threads: a task grows too much among others", half="scoring", server="threads", limit_mb=_LIMIT_MB,
        beside=True, do=(Start(deed="grow", amount=_MUCH),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: a task makes lists", half="scoring", server="prefork", limit_mb=_LIMIT_MB,
        do=(Start(deed="lists", amount=_MUCH),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: a slow leak in two children", half="scoring", server="prefork", limit_mb=_LIMIT_MB,
        do=(Again(deed="leak", amount=25),), ends=(End(right=_OOM, at_most=2),),
    ),
    Program(
        name="solo: a slow leak", half="scoring", server="solo", limit_mb=_LIMIT_MB, beside=True,
        do=(Again(deed="leak", amount=25),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="script: it grows too much", half="scoring", server="script", limit_mb=_LIMIT_MB, beside=True,
        do=(Start(deed="grow", amount=_MUCH),), ends=(End(right=_OOM, job=IDLE, who="main"),),
    ),
    Program(
        name="script: it takes too much, alone, and is started again", half="scoring", server="script",
        limit_mb=_LIMIT_MB, do=(Start(deed="take", amount=_MUCH), Restart()),
        ends=(End(right=OOM, job=IDLE, who="main"),),
    ),
    Program(
        name="prefork: a neighbour is killed", half="scoring", server="prefork", limit_mb=_LIMIT_MB,
        do=(Neighbour(mb=_MUCH, seconds=3),),
    ),
    Program(
        name="prefork: a neighbour's growth kills an idle child", half="scoring", server="prefork",
        limit_mb=_LIMIT_MB, busy=False,
        do=(Start(deed="leak", amount=80), Wait(8), Neighbour(mb=_MUCH, spared=True)),
        ends=(End(right=_OOM, job=IDLE, who="doer"),),
    ),
    Program(
        name="gthread: a neighbour's growth kills a worker with a view", half="scoring", server="gthread",
        limit_mb=_LIMIT_MB, do=(Start(deed="grow", amount=80), Neighbour(mb=_MUCH, spared=True, seconds=6)),
        ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: the sum of three workers", half="scoring", server="sync", processes=3, limit_mb=_LIMIT_MB,
        busy=False, do=(Start(deed="grow", amount=120, times=3),),
        ends=(End(right=_OOM, job=EXPORT, who="doer", at_most=3),),
    ),
    Program(
        name="prefork: a neighbour is killed, and in the same second a child by somebody", half="scoring",
        server="prefork", limit_mb=_LIMIT_MB,
        do=(
            Start(deed="sleep", amount=_LONG), Wait(3), Neighbour(mb=_MUCH, seconds=3),
            Signal(number=SIGKILL, to="doer"),
        ),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="gthread: a neighbour is killed, and later a worker by somebody", half="scoring", server="gthread",
        limit_mb=_LIMIT_MB, busy=False, do=(Neighbour(mb=_MUCH), Wait(12), Signal(number=SIGKILL)),
        ends=(End(right=("sigkill",), job=IDLE),),
    ),
    Program(
        name="prefork: the whole cgroup", half="scoring", server="prefork", limit_mb=_LIMIT_MB, whole_group=True,
        beside=True, do=(Start(deed="grow", amount=_MUCH),),
        ends=(
            End(right=("oom_container",), job=EXPORT, who="doer"),
            End(right=("oom_container",), who="main"),
            End(right=("oom_container",)),
        ),
    ),
    Program(
        name="solo: the first process of a container, started again", half="scoring", server="solo", apart=True,
        limit_mb=_LIMIT_MB, do=(Start(deed="grow", amount=_MUCH), Restart()),
        ends=(End(right=OOM, job=EXPORT, who="doer"),),
    ),
    # MemoryError under a limit of the address space.
    Program(
        name="prefork: MemoryError in a task", half="scoring", server="prefork", address_space_mb=2000,
        do=(Start(deed="take", amount=4000), Wait(5)),
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
        do=(Start(deed="spin", amount=_LONG), Wait(4), Signal(number=SIGKILL, to="doer")),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="gunicorn uvicorn: SIGKILL in an asynchronous view", half="scoring", server="gunicorn uvicorn",
        do=(Start(deed="sleep", amount=_LONG, name="feed"), Wait(3), Signal(number=SIGKILL, to="doer")),
        ends=(End(right=("sigkill",), job="feed", who="doer"),),
    ),
    Program(
        name="uvicorn: SIGKILL while idle", half="scoring", server="uvicorn", processes=1, busy=False, beside=True,
        do=(Signal(number=SIGKILL, to="main"),), ends=(End(right=("sigkill",), job=IDLE, who="main"),),
    ),
    Program(
        name="prefork: SIGKILL of the main process with a task", half="scoring", server="prefork", beside=True,
        do=(Start(deed="sleep", amount=_LONG), Wait(3), Signal(number=SIGKILL, to="main")),
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
        do=(Signal(number=SIGKILL, to="children"),), ends=(End(right=_UNSEEN, job=IDLE, at_least=3, at_most=3),),
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
        do=(Start(deed="sleep", amount=_LONG), Wait(2), Signal(number=SIGQUIT, to="main")),
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
        do=(Start(deed="sleep", amount=_LONG),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="gunicorn uvicorn: gunicorn's timeout in the event loop", half="scoring", server="gunicorn uvicorn",
        options=("--timeout", "6"), do=(Start(deed="spin", amount=_LONG, name="feed"),),
        ends=(End(right=("time_limit",), job="feed", who="doer"),),
    ),
    Program(
        name="prefork: a task's own hard time limit", half="scoring", server="prefork",
        do=(Start(deed="sleep", amount=_LONG, name="limited"),),
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
        do=(Start(deed="sleep", amount=_LONG), Wait(3), Control(name="revoke with SIGKILL")),
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
        limit_mb=_LIMIT_MB, do=(Start(deed="grow", amount=_MUCH),), ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: the host is gone, through Redis", half="scoring", server="prefork", transport="redis",
        apart=True, beside=True, do=(Start(deed="sleep", amount=_LONG), Wait(12), Signal(number=SIGKILL, to="main")),
        ends=(
            End(right=_GONE, job=EXPORT, who="doer"),
            End(right=_GONE, who="main"),
            End(right=_GONE),
        ),
    ),
    Program(
        name="prefork: a task takes too much, at an interval of a minute", half="scoring", server="prefork",
        interval_s=60, limit_mb=_LIMIT_MB, do=(Start(deed="take", amount=_MUCH),),
        ends=(End(right=_OOM, job=EXPORT, who="doer"),),
    ),
    Program(
        name="gthread: SIGSEGV, at an interval of a minute", half="scoring", server="gthread", interval_s=60,
        do=(Start(deed="segv"),), ends=(End(right=("crash",), job=EXPORT, who="doer"),),
    ),
)  # fmt: skip

PROGRAMS = {program.name: program for program in (*_TUNING, *_SCORING)}
