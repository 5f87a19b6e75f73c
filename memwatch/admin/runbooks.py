"""What to do about a leak of this pattern, as steps on its page, and where the runbooks are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from memwatch.admin.leaks import evidence
from memwatch.conf import get_settings
from memwatch.models import Alert, Leak

LEAK = "MemoryLeakDetected"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pattern:
    """One way in which memory is kept, and what others did about it."""

    title: Promise
    anchor: str
    """The anchor of its section in the runbook."""
    advice: tuple[Promise, ...]


CONTAINER = Pattern(
    title=gettext_lazy("A container that is never emptied"),
    anchor="a-container-that-is-never-emptied",
    advice=(
        gettext_lazy("Find the line that adds to it: search the code for its name, or record allocation sites."),
        gettext_lazy(
            "Limit it: functools.lru_cache(maxsize=…), collections.deque(maxlen=…), a cache with a time to "
            "live; or remove each entry when its owner ends."
        ),
        gettext_lazy("If it is a cache that is meant to fill up to a limit, suppress it as expected, with the reason."),
    ),
)
OBJECTS = Pattern(
    title=gettext_lazy("Objects that something keeps alive"),
    anchor="objects-that-something-keeps-alive",
    advice=(
        gettext_lazy("Record what refers to it: the chain ends at a module's name, a closure, a signal or a thread."),
        gettext_lazy(
            "Usual holders: a dict or list of a module, a cache on a method (lru_cache keeps every self), callbacks "
            "and signal receivers that are connected for each request, exceptions that are kept with their traceback."
        ),
        gettext_lazy("Types that grow with it usually have the same cause. Start with the most specific name."),
    ),
)
UNTRACKED = Pattern(
    title=gettext_lazy("Strings, bytes or numbers that pile up"),
    anchor="strings-bytes-or-numbers-that-pile-up",
    advice=(
        gettext_lazy(
            "The garbage collector does not track them, so memwatch cannot name a type: record allocation sites."
        ),
        gettext_lazy(
            "Usual holders: lists of log lines or query texts (django.db.connection.queries under DEBUG=True), "
            "caches of rendered pages, buffers that are appended to and never cut."
        ),
    ),
)
NATIVE = Pattern(
    title=gettext_lazy("Memory of an extension module"),
    anchor="memory-of-an-extension-module",
    advice=(
        gettext_lazy("Record a flame graph with native frames: it names the library that allocates."),
        gettext_lazy("Check the extension modules named in the evidence: does the version in use have a known leak?"),
        gettext_lazy(
            "Check the allocator: does the process return memory when it is asked? Then malloc kept it, there is no "
            "leak, and the check names the setting that helps."
        ),
    ),
)
RECYCLED = gettext_lazy(
    "Its workers are recycled before they run out of memory (--max-requests of gunicorn, "
    "worker_max_tasks_per_child of Celery). Recycling hides this leak and does not fix it."
)
_PATTERNS = {Leak.Kind.OBJECTS: OBJECTS, Leak.Kind.UNTRACKED: UNTRACKED, Leak.Kind.NATIVE: NATIVE}

OF_ALERTS = {
    Alert.Type.HEAP_WARNING: "MemoryCapacityWarning",
    Alert.Type.HEAP_CRITICAL: "MemoryHeapCritical",
    Alert.Type.CONTAINER_WARNING: "MemoryContainerNearLimit",
    Alert.Type.CONTAINER_CRITICAL: "MemoryContainerNearLimit",
    Alert.Type.GROWTH_RATE: "MemoryGrowthRateHigh",
    Alert.Type.GC_SPIKE: "MemoryGCSpike",
    Alert.Type.LEAK: LEAK,
    Alert.Type.BASELINE_DRIFT: "MemoryBaselineDriftHigh",
    Alert.Type.JOB_PEAK: "MemwatchJobPeak",
    Alert.Type.PROCESS_KILLED: "MemwatchProcessKilled",
    Alert.Type.RECYCLING_USELESS: "MemwatchRecyclingUseless",
    Alert.Type.RELEASE_CHANGE: "MemwatchReleaseGrew",
}
"""The runbook of each alert."""


def pattern_of(leak: Leak) -> Pattern:
    """By what holds it, else by its kind."""
    if evidence.held_in(leak):
        return CONTAINER
    return _PATTERNS.get(Leak.Kind(leak.kind), OBJECTS) if leak.kind in Leak.Kind.values else OBJECTS


def what_to_do(leak: Leak) -> Mapping[str, Any]:
    """The context of the part of the page that says what to do next."""
    pattern = pattern_of(leak)
    return {
        "title": pattern.title,
        "advice": pattern.advice if leak.process_id else [*pattern.advice, RECYCLED],
        "runbook": runbook_url(LEAK, pattern.anchor),
        "runbook_name": LEAK,
    }


def runbook_url(name: str, anchor: str = "") -> str:
    """Where a runbook is read; empty where ``RUNBOOK_URL`` is not set."""
    base = get_settings().runbook_url
    if not base:
        return ""
    return f"{base.rstrip('/')}/{quote(name)}.md{f'#{anchor}' if anchor else ''}"
