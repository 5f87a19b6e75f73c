"""Programs that rules may be looked at with. What is right was written before memwatch was first asked."""

from __future__ import annotations

from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM

from benchmarks.deaths.program import (
    EXPORT,
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
    Signal,
    Start,
    Wait,
)

TUNING = (
    # The kernel kills for lack of memory.
    Program(
        name="prefork: a task takes too much", half="tuning", server="prefork", limit_mb=LIMIT_MB,
        do=(Start(deed="take", amount=MUCH),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="uvicorn: a view takes too much", half="tuning", server="uvicorn", processes=1, limit_mb=LIMIT_MB,
        beside=True, do=(Start(deed="take", amount=MUCH),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="solo: a task grows too much", half="tuning", server="solo", limit_mb=LIMIT_MB, beside=True,
        do=(Start(deed="grow", amount=MUCH),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="sync: a slow leak", half="tuning", server="sync", processes=1, limit_mb=LIMIT_MB, beside=True,
        do=(Again(deed="leak", amount=30),), ends=(End(right=KERNEL, job=EXPORT, who="doer"),),
    ),
    Program(
        name="command: it takes too much", half="tuning", server="command", limit_mb=LIMIT_MB, beside=True,
        do=(Start(deed="take", amount=MUCH),), ends=(End(right=KERNEL, job=EXPORT, who="main"),),
    ),
    Program(
        name="sync: a neighbour is killed", half="tuning", server="sync", limit_mb=LIMIT_MB,
        do=(Neighbour(mb=MUCH),),
    ),
    Program(
        name="sync: a neighbour's growth kills an idle worker", half="tuning", server="sync", limit_mb=LIMIT_MB,
        busy=False, do=(Start(deed="leak", amount=80), Wait(8), Neighbour(mb=MUCH, spared=True)),
        ends=(End(right=KERNEL, job=IDLE, who="doer"),),
    ),
    Program(
        name="prefork: the sum of three children", half="tuning", server="prefork", processes=3, limit_mb=LIMIT_MB,
        busy=False, do=(Start(deed="grow", amount=120, times=3),),
        ends=(End(right=KERNEL, job=EXPORT, who="doer", at_most=3),),
    ),
    Program(
        name="sync: a neighbour is killed, and in the same second a worker by somebody", half="tuning", server="sync",
        limit_mb=LIMIT_MB, busy=False, do=(Neighbour(mb=MUCH), Signal(number=SIGKILL)),
        ends=(End(right=("sigkill",), job=IDLE),),
    ),
    Program(
        name="sync: the whole cgroup", half="tuning", server="sync", limit_mb=LIMIT_MB, whole_group=True, beside=True,
        do=(Start(deed="grow", amount=MUCH),),
        ends=(
            End(right=("oom_container",), job=EXPORT, who="doer"),
            End(right=("oom_container",), at_least=1, at_most=1),
        ),
    ),
    Program(
        name="uvicorn: the first process of a container", half="tuning", server="uvicorn", processes=1, apart=True,
        limit_mb=LIMIT_MB, beside=True, do=(Start(deed="grow", amount=MUCH),),
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
        do=(Start(deed="sleep", amount=LONG), Wait(3), Signal(number=SIGKILL, to="doer")),
        ends=(End(right=("sigkill",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="threads: SIGKILL in a task", half="tuning", server="threads", beside=True,
        do=(Start(deed="sleep", amount=LONG), Wait(2), Signal(number=SIGKILL, to="main")),
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
            End(right=UNSEEN, job=IDLE, may_lack=True),
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
        do=(Start(deed="sleep", amount=LONG), Wait(2), Signal(number=SIGINT, to="main")),
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
        do=(Start(deed="spin", amount=LONG),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: hard time limit", half="tuning", server="prefork", options=("--time-limit", "6"),
        do=(Start(deed="spin", amount=LONG),), ends=(End(right=("time_limit",), job=EXPORT, who="doer"),),
    ),
    Program(
        name="prefork: soft time limit", half="tuning", server="prefork", options=("--soft-time-limit", "4"),
        do=(Start(deed="sleep", amount=LONG), Wait(8)),
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
        do=(Start(deed="sleep", amount=LONG), Wait(3), Control(name="revoke")),
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
        do=(Start(deed="sleep", amount=LONG), Wait(2), Signal(number=SIGKILL, to="doer")),
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
