"""An end in sentences that an operator reads once: why, with how much memory, during which job."""

from __future__ import annotations

from memwatch.detection.deaths.facts import Facts
from memwatch.detection.deaths.reasons import (
    CRASH,
    HOST_GONE,
    OOM_CONTAINER,
    OOM_PROCESS,
    RECYCLED,
    RECYCLED_BY_MEMWATCH,
    SIGKILL,
    STOPPED,
    TIME_LIMIT,
    UNKNOWN,
)
from memwatch.detection.sentence import duration

_OTHERS_SHARE = 0.5
"""A process with less of its container's memory is not what filled it."""


def sentence(facts: Facts, reason: str, *, certain: bool) -> str:
    """E.g. ``The kernel killed it because memory ran out. It had 498 MB of 512 MB. task shop.sync ran for 34 s.``"""
    parts = (_why(facts, reason, certain=certain), _memory(facts), _others(facts, reason), _job(facts, reason))
    return " ".join(part for part in parts if part)


def _why(facts: Facts, reason: str, *, certain: bool) -> str:
    likely = "" if certain else "probably "
    by = f" with {facts.signal}" if facts.signal else ""
    words = {
        OOM_PROCESS: f"The kernel {likely}killed it because memory ran out.",
        OOM_CONTAINER: f"The kernel {likely}killed all processes of its container because memory ran out.",
        SIGKILL: _sigkill(facts),
        CRASH: f"It crashed: {_crash(facts)}.",
        RECYCLED: "It was recycled after its number of requests or tasks, or because of its memory.",
        RECYCLED_BY_MEMWATCH: "memwatch recycled it because of its memory, as its service's policy says.",
        TIME_LIMIT: _time_limit(facts, likely),
        STOPPED: _stopped(facts, f"It was {likely}stopped{by}."),
        HOST_GONE: f"All {facts.silent} processes of its host fell silent at the same time.",
        UNKNOWN: "It ended without a word, and nothing shows why.",
    }
    return words[reason]


def _stopped(facts: Facts, otherwise: str) -> str:
    if facts.became_another:
        return "It became another program (exec): its pid lives on."
    if facts.status is None and facts.stopped_with and not facts.ending:
        return f"{otherwise} The others of its service on this host were stopped at the same time."
    return otherwise


def _crash(facts: Facts) -> str:
    if facts.status is None:
        return "an error that nothing handled"
    return facts.signal or f"exit code {facts.status}"


def _sigkill(facts: Facts) -> str:
    if facts.spared:
        return "It was killed with SIGKILL, and not by the kernel: its log has no kill for lack of memory."
    if facts.oom.known:
        return "It was killed with SIGKILL, and not by the kernel: no kill for lack of memory was counted for it."
    return "It was killed with SIGKILL. The kernel's counters could not be read, so it may have done it."


def _time_limit(facts: Facts, likely: str) -> str:
    job = facts.over_limit
    limit = None if job is None else facts.limit_s(job)
    flight = facts.flight
    if job is None and facts.may_have_hung and flight is not None and flight.heartbeat_s is not None:
        limit_s = duration(flight.heartbeat_s)
        return f"It was {likely}killed because it gave no sign of life for {limit_s}, its server's limit."
    if job is None or limit is None:
        return f"It was {likely}killed at a time limit."
    return f"It was {likely}killed because {job.kind} {job.name} reached its time limit of {duration(limit)}."


def _memory(facts: Facts) -> str:
    if facts.rss_mb is None:
        return ""
    of = f" of {facts.limit_mb:,.0f} MB" if facts.limit_mb else ""
    return f"It had {facts.rss_mb:,.0f} MB{of}."


def _others(facts: Facts, reason: str) -> str:
    """Where others filled the container."""
    used = None if facts.flight is None else facts.flight.container_mb
    if reason not in (OOM_PROCESS, OOM_CONTAINER) or facts.rss_mb is None or not used:
        return ""
    if facts.rss_mb >= _OTHERS_SHARE * used:
        return ""
    return f"Others in its container had most of the memory: {used - facts.rss_mb:,.0f} MB."


def _job(facts: Facts, reason: str) -> str:
    job = facts.job
    if job is None or facts.flight is None or (reason == TIME_LIMIT and facts.over_limit is not None):
        return ""
    ran = f"{job.kind} {job.name} was running for {duration(facts.seconds(job))}"
    others = len(facts.flight.running) - 1
    if others:
        ran += f", and {others} more" if others > 1 else ", and 1 more"
    return f"{ran[0].upper()}{ran[1:]}."
