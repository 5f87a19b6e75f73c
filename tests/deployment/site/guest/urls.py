"""The guest's pages."""

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from guest import leak as guest_leak

_heap: list[object] = []
_started: list[subprocess.Popen[bytes]] = []


def pid(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(os.getpid()))


def hang(request: HttpRequest) -> HttpResponse:
    """A view that takes its time, and says in a file who runs it."""
    Path(os.environ["GUEST_FOLDER"], "hanging").write_text(str(os.getpid()))
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("done")


def fork(request: HttpRequest) -> HttpResponse:
    """A forked child that lives for a while and then leaves without a word."""
    child = os.fork()
    if child == 0:
        time.sleep(float(request.GET["seconds"]))
        os._exit(0)
    return HttpResponse(str(child))


def run(request: HttpRequest) -> HttpResponse:
    """Another program, started by way of a forked copy of this process."""
    slept = [sys.executable, "-c", "import time; time.sleep(4)"]
    _started.append(subprocess.Popen(slept, preexec_fn=os.setpgrp))
    return HttpResponse(str(_started[-1].pid))


def grow(request: HttpRequest) -> HttpResponse:
    """Make the heap large, so that a census takes its time."""
    _heap.extend([index] for index in range(int(request.GET["objects"])))
    return HttpResponse(str(len(gc.get_objects())))


class Kept:
    """What a request leaves behind."""


_kept: list[Kept] = []


def keep(request: HttpRequest) -> HttpResponse:
    """Leak so many objects."""
    _kept.extend(Kept() for _ in range(int(request.GET["objects"])))
    return HttpResponse(str(len(_kept)))


def leak(request: HttpRequest) -> HttpResponse:
    """Keep some more objects."""
    return HttpResponse(str(guest_leak.keep(int(request.GET["objects"]))))


def tracing(request: HttpRequest) -> HttpResponse:
    """Whether tracemalloc traces."""
    return HttpResponse(str("tracemalloc" in sys.modules and sys.modules["tracemalloc"].is_tracing()))


def latency(request: HttpRequest) -> HttpResponse:
    """The longest that a greenlet (or thread) that sleeps a millisecond at a time has overslept, in ms."""
    longest, until = 0.0, time.monotonic() + float(request.GET["seconds"])
    while (now := time.monotonic()) < until:
        time.sleep(0.001)
        longest = max(longest, time.monotonic() - now)
    return HttpResponse(f"{longest * 1e3:.1f}")


def threads(request: HttpRequest) -> JsonResponse:
    """What the process's threads are called, by Python and by the system."""
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return JsonResponse({"python": [thread.name for thread in threading.enumerate()], "system": names})


urlpatterns = [
    path("pid", pid),
    path("hang", hang, name="hang"),
    path("fork", fork),
    path("run", run),
    path("grow", grow),
    path("keep", keep),
    path("latency", latency),
    path("leak", leak),
    path("tracing", tracing),
    path("threads", threads),
]
