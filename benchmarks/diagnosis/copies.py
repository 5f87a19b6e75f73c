"""What *Find the cause* costs and finds in a process of so many objects, under load, with a leak planted.

Requests are kept by a middleware, beside twice as many older ones that a constant holds; half a core handles requests.
Prints one line of JSON. ``python -m benchmarks.diagnosis.copies 900000 churned``; with ``within`` after that as if a
copy would pause it for long, so that the process itself is searched, where that is allowed.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import threading
import time
from typing import Any

from benchmarks.census.__main__ import Probe
from benchmarks.census.heap import build, churn
from memwatch.diagnosis import options
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import fork_pause
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.referrers.recording import ReferrersRecording

RATE = 20.0
"""Requests a second."""
KEPT_BEFORE = 300
PAGE = [{"row": number, "cells": [str(number)] * 20} for number in range(50)]


class Request:
    """As a framework makes it: with a user looked up late, which refers back to it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.environ = {f"HTTP_{name}": [name] for name in range(30)}
        self.user = lambda: self


class AuditTrail:
    """The leak."""

    def __init__(self) -> None:
        self.trail: list[Request] = []

    def __call__(self, request: Request) -> None:
        """Keep it."""
        self.trail.append(request)


AUDIT = AuditTrail()
CONSTANT: tuple[Request, ...] = ()


class Site:
    """Handles requests in a thread until it is left."""

    def __init__(self) -> None:
        self.handled = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ended.wait(1 / RATE):
            AUDIT(Request(self.handled))
            until = time.thread_time() + 0.5 / RATE
            while time.thread_time() < until:
                json.loads(json.dumps(PAGE))
            self.handled += 1

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()


def measured(objects: int, *, churned: bool, within: bool) -> dict[str, Any]:
    """One recording."""
    if within:
        fork_pause.LONGEST_MS = 0.0
    kept = build(objects)
    if churned:
        churn(kept, objects)
    vars(sys.modules[__name__])["CONSTANT"] = tuple(Request(number) for number in range(2 * KEPT_BEFORE))
    for number in range(KEPT_BEFORE):
        AUDIT(Request(number))
    gc.collect()
    gc.set_threshold(2_000, 1_000, 1_000_000)  # the program's own full collections would be the longest pauses
    with Site() as site, Probe() as probe:
        time.sleep(1)
        _, usual_ms = probe.measure(lambda: time.sleep(3))
        meter = Meter(lambda: site.handled)
        host = Host(requests_handled=lambda: site.handled)
        work = ReferrersRecording(options.referrers({"type": f"{__name__}.Request"}), host).run(meter)
        found: list[Any] = []
        refused: list[str] = []

        def record() -> None:
            try:
                while True:
                    gc.disable()
                    with meter.working():
                        wait_s = next(work)
                    gc.enable()
                    time.sleep(wait_s)
            except StopIteration as end:
                found.append(end.value)
            except Refused as reason:
                refused.append(str(reason))
            finally:
                gc.enable()

        _, seen_ms = probe.measure(record)
        began = time.perf_counter()
        gc.collect()
        collect_ms = (time.perf_counter() - began) * 1e3
    holder = found[0].holder if found else None
    right = (
        holder is not None
        and holder.sure
        and (holder.attribute, holder.code_line) == ("AuditTrail.trail", "self.trail.append(request)")
    )
    return {
        **meter.figures(),
        "objects": len(gc.get_objects()),
        "refused": "".join(refused),
        "held_ms": round(meter.longest_hold_ms, 1),
        "seen_ms": round(seen_ms, 1),
        "usual_ms": round(usual_ms, 1),
        "collect_ms": round(collect_ms, 1),
        "right": right,
        "holder": None if holder is None else [holder.name, holder.attribute, holder.code, holder.grows_per_call],
    }


if __name__ == "__main__":
    # Under its own name: by that the file of a program's own code is looked for.
    own = importlib.import_module("benchmarks.diagnosis.copies")
    print(json.dumps(own.measured(int(sys.argv[1]), churned="churned" in sys.argv, within="within" in sys.argv)))
