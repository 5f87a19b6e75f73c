"""The reason for an end. Each rule is a function of facts; the first that knows a reason decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

from memwatch.detection.deaths.facts import FULL_PERCENT, HUB, Facts, OomCounters
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
from memwatch.detection.deaths.sentences import sentence
from memwatch.records.flight import LEAVING

EXIT_RECYCLE = 0x9B
"""The exit code of a Celery child that leaves after its number of tasks or because of its memory."""
_STOPS = {"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"}
_STOP_CODES = {128 + number for number in (1, 2, 3, 15)}
"""Exit codes by which a program says that one of these signals stopped it."""
MIN_HOST = 2
"""Processes that have to fall silent together before their host is held to be gone."""


class Found(NamedTuple):
    """A reason, and whether it is proven."""

    reason: str
    certain: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Why a process ended."""

    reason: str
    """One of :data:`memwatch.detection.deaths.reasons.REASONS`."""
    signal: str | None
    """E.g. ``SIGKILL``; ``None`` where no signal ended it, or it is not known."""
    sentence: str
    certain: bool
    """Whether it is proven; else it is the likeliest reason."""


def decide(facts: Facts) -> Verdict:
    """Why this process ended."""
    reason, certain = next(found for rule in RULES if (found := rule(facts)) is not None)
    said = sentence(facts, reason, certain=certain)
    return Verdict(reason=reason, signal=facts.signal, sentence=said, certain=certain)


def decide_all(ends: Sequence[Facts], known: Sequence[OomCounters] = ()) -> list[Verdict]:
    """Why the processes of one host ended, in the order given.

    The kernel counts how many it has killed, not which: each kill explains one end, those of the largest processes
    first. ``known``: what was counted at the ends that are explained by a kill already.
    """
    explained = list(known)
    verdicts: dict[int, Verdict] = {}
    for place in sorted(range(len(ends)), key=lambda place: _kernel_chooses(ends[place])):
        facts = _without(ends[place], explained)
        verdicts[place] = decide(facts)
        if verdicts[place].reason == OOM_PROCESS:
            explained.append(ends[place].oom)
    return [verdicts[place] for place in range(len(ends))]


def _kernel_chooses(facts: Facts) -> tuple[bool, float]:
    """Those that the kernel's log names come first, then the largest."""
    return not says_oom(facts.kernel_line), -(facts.rss_mb or 0.0)


def _without(facts: Facts, explained: Sequence[OomCounters]) -> Facts:
    """The facts without the kills that have ended others."""
    oom = facts.oom
    others = sum(oom.includes(other) for other in explained)
    if not others or oom.before is None:
        return facts
    return dataclasses.replace(facts, oom=oom._replace(before=oom.before + others))


def says_oom(line: str) -> bool:
    """Whether a line of the kernel's log is of a kill for lack of memory."""
    line = line.lower()
    return "out of memory" in line or "oom-kill" in line or "oom.group" in line


def _by_becoming_another_program(facts: Facts) -> Found | None:
    return Found(STOPPED) if facts.became_another else None


def _by_the_kernels_log(facts: Facts) -> Found | None:
    if not says_oom(facts.kernel_line):
        return None
    group = facts.oom.group_kills or "oom.group" in facts.kernel_line.lower()
    return Found(OOM_CONTAINER if group else OOM_PROCESS)


def _by_sigkill(facts: Facts) -> Found | None:
    if facts.signal != "SIGKILL":
        return None
    if facts.oom.group_kills:
        return Found(OOM_CONTAINER)
    if facts.oom.kills and not facts.spared:
        return Found(OOM_PROCESS)
    if facts.over_limit is not None or facts.hung:
        return Found(TIME_LIMIT, certain=facts.over_limit is not None)
    if not facts.oom.known and not facts.spared and facts.full_percent >= FULL_PERCENT:
        return Found(OOM_PROCESS, certain=False)
    return Found(SIGKILL, certain=facts.oom.known or facts.spared)


def _by_another_signal(facts: Facts) -> Found | None:
    if facts.signal is None:
        return None
    if facts.ending == TIME_LIMIT or facts.signal == "SIGXCPU":
        return Found(TIME_LIMIT)
    if facts.over_limit is not None and facts.signal in {*_STOPS, "SIGABRT"}:
        return Found(TIME_LIMIT)
    if facts.signal == "SIGABRT" and facts.may_have_hung:
        return Found(TIME_LIMIT, certain=False)
    if facts.signal in _STOPS:
        return Found(facts.ending or STOPPED)
    return Found(CRASH)


def _by_exit_code(facts: Facts) -> Found | None:
    if facts.status is None:
        return None
    recycled = facts.ending in (RECYCLED, RECYCLED_BY_MEMWATCH)
    if facts.status == EXIT_RECYCLE:
        return Found(facts.ending if recycled else RECYCLED)
    if facts.ending == TIME_LIMIT or (recycled and facts.status in {0, *_STOP_CODES}):
        return Found(facts.ending)
    if facts.status == 0 or facts.status in _STOP_CODES:
        return Found(STOPPED)
    return Found(TIME_LIMIT, certain=False) if facts.over_limit is not None else Found(CRASH)


def _by_its_own_word(facts: Facts) -> Found | None:
    if facts.ending:
        return Found(facts.ending)
    leaving = facts.flight is not None and facts.flight.state == LEAVING
    return Found(STOPPED, certain=False) if leaving else None


def _by_what_the_kernel_counted(facts: Facts) -> Found | None:
    if facts.oom.group_kills:
        return Found(OOM_CONTAINER, certain=False)
    if facts.oom.kills and not facts.spared and (facts.may_be_largest or facts.full_percent >= FULL_PERCENT):
        return Found(OOM_PROCESS, certain=False)
    return None


def _by_full_memory(facts: Facts) -> Found | None:
    """Where no counter was read after the end, and all that is known is how full the memory was."""
    if facts.noticed_by != HUB or facts.oom.known or facts.full_percent < FULL_PERCENT:
        return None
    return Found(OOM_CONTAINER if facts.silent >= MIN_HOST else OOM_PROCESS, certain=False)


def _by_its_time(facts: Facts) -> Found | None:
    """The server alone does not know when the process ended."""
    if facts.noticed_by == HUB or facts.over_limit is None:
        return None
    return Found(TIME_LIMIT, certain=False)


def _by_a_stop_of_all(facts: Facts) -> Found | None:
    """A deploy, of whose last process no other one saw how it ended."""
    return Found(STOPPED, certain=False) if facts.status is None and facts.stopped_with else None


def _by_its_host(facts: Facts) -> Found | None:
    return Found(HOST_GONE, certain=False) if facts.silent >= MIN_HOST else None


def _not_known(_facts: Facts) -> Found:
    return Found(UNKNOWN, certain=False)


RULES: Sequence[Callable[[Facts], Found | None]] = (
    _by_becoming_another_program,
    _by_the_kernels_log,
    _by_sigkill,
    _by_another_signal,
    _by_exit_code,
    _by_its_own_word,
    _by_what_the_kernel_counted,
    _by_full_memory,
    _by_its_time,
    _by_a_stop_of_all,
    _by_its_host,
    _not_known,
)
