"""Programs that go on working while their heap is dumped; each says on standard output what it has seen."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from typing import Any

TICK_S = 0.005


def forks_and_executes(file: str) -> dict[str, Any]:
    """Makes processes all the time, and waits for any child that there is."""
    from memwatch import dump_heap

    stop, seen, strange = threading.Event(), [0], list[tuple[int, int]]()

    def work() -> None:
        while not stop.is_set():
            child = os.fork()
            if child == 0:
                if seen[0] % 2:
                    os._exit(7)
                os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", "raise SystemExit(7)"])
            pid, status = os.waitpid(-1, 0)
            if (pid, os.waitstatus_to_exitcode(status)) != (child, 7):
                strange.append((pid, status))
            seen[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    while seen[0] < 2:
        time.sleep(TICK_S)
    before = seen[0]
    try:
        written = dump_heap(file)
    finally:
        stop.set()
        thread.join()
    return {"objects": written.objects, "during": seen[0] - before, "strange": strange, "children": children()}


def in_greenlets(file: str) -> dict[str, Any]:
    """gevent has replaced the standard library's waiting before anything else is imported."""
    from gevent import monkey

    monkey.patch_all()
    import gevent

    from memwatch import dump_heap

    gaps: list[float] = []

    def tick() -> None:
        last = time.perf_counter()
        while True:
            gevent.sleep(TICK_S)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    ticking = gevent.spawn(tick)
    gevent.sleep(10 * TICK_S)
    gaps.clear()
    written = gevent.spawn(dump_heap, file).get()
    during = list(gaps)
    ticking.kill()
    return {"objects": written.objects, "during": len(during), "longest_s": max(during), "children": children()}


def in_an_event_loop(file: str) -> dict[str, Any]:
    """A loop with a thousand tasks, and a thread that dumps."""
    from memwatch import dump_heap

    gaps: list[float] = []

    async def work() -> None:
        while True:
            await asyncio.sleep(0.05)
            sum(range(100))

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    async def main() -> Any:
        tasks = [asyncio.create_task(tick()), *(asyncio.create_task(work()) for _ in range(1_000))]
        await asyncio.sleep(0.3)
        calm = max(gaps)
        gaps.clear()
        written = await asyncio.to_thread(dump_heap, file)
        during = list(gaps)
        for task in tasks:
            task.cancel()
        return written, calm, during

    written, calm, during = asyncio.run(main())
    return {
        "objects": written.objects,
        "during": len(during),
        "calm_s": calm,
        "longest_s": max(during),
        "children": children(),
    }


def with_a_huge_text(file: str) -> dict[str, Any]:
    """One that has a gigabyte."""
    from memwatch import dump_heap

    huge = "x" * 2**30
    written = dump_heap(file)
    return {
        "objects": written.objects,
        "huge": [id(huge), sys.getsizeof(huge)],
        "bytes": written.bytes,
    }


def children() -> int:
    """That are still there, dead ones too."""
    import psutil

    return len(psutil.Process().children())


HOSTS = {each.__name__: each for each in (forks_and_executes, in_greenlets, in_an_event_loop, with_a_huge_text)}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(HOSTS[sys.argv[1]](sys.argv[2])))
