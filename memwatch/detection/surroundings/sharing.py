"""What the processes of a service share with each other, in sentences: what that saves, and what they lose of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from memwatch.detection.surroundings.container import size

COPIED_MB = 20.0
"""Copied memory of a process from which freezing is worth a sentence."""
LITTLE = 0.25
"""Share of a forked process's memory below which it shares little: interpreter and libraries."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """Private memory of a process in lives without ``gc.freeze()`` before the fork, and in lives with it."""

    before_mb: float
    """The median of the lives."""
    before_lives: int
    after_mb: float
    after_lives: int


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Sharing:
    """The processes of a service that are alive and whose shared memory was measured."""

    processes: int
    rss_mb: float
    """The sum over all processes, as are the next two."""
    pss_mb: float
    uss_mb: float
    methods: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """How many were started by ``fork``, ``forkserver``, ``spawn``, or (an empty text) by themselves."""
    frozen: int = 0
    """How many have frozen objects."""
    copied_mb: float | None = None
    """What the median forked process without frozen objects has copied of what it shared; ``None`` where unknown."""
    effect: Effect | None = None

    @property
    def private_mb(self) -> float:
        """Of one process."""
        return self.uss_mb / self.processes

    @property
    def shared_mb(self) -> float:
        """What one process has in memory that others have too."""
        return max(self.rss_mb - self.uss_mb, 0.0) / self.processes

    @property
    def saved_mb(self) -> float:
        """What all would take more if each had everything for itself."""
        return max(self.rss_mb - self.pss_mb, 0.0)


def sentences(sharing: Sharing) -> list[str]:
    """What there is to know, the most general first."""
    found = [_saves(sharing), *_methods(sharing), _freeze(sharing), _effect(sharing.effect)]
    return [text for text in found if text]


def _saves(sharing: Sharing) -> str:
    return (
        f"On average a process has {size(sharing.private_mb)} of its own and {size(sharing.shared_mb)} that others "
        f"use too. Sharing saves {size(sharing.saved_mb)} over {sharing.processes} processes."
    )


def _methods(sharing: Sharing) -> list[str]:
    methods, found = sharing.methods, []
    if methods.get("spawn"):
        found.append(
            f"{_some(methods['spawn'])} started by spawn: each has loaded everything again, and only libraries are "
            "shared."
        )
    if methods.get("forkserver"):
        found.append(
            f"{_some(methods['forkserver'])} started by forkserver, the default of multiprocessing since Python 3.14: "
            "they share what the fork server has loaded, and nothing that their parent has. Name the modules in "
            'multiprocessing.set_forkserver_preload(), or choose set_start_method("fork").'
        )
    if methods.get("fork", 0) > sharing.processes / 2 and _shares_little(sharing):
        found.append("They were forked but share little: load the application before the fork (preload_app = True).")
    return found


def _shares_little(sharing: Sharing) -> bool:
    return sharing.shared_mb < LITTLE * sharing.rss_mb / sharing.processes and not (sharing.copied_mb or 0) > COPIED_MB


def _some(number: int) -> str:
    return "One process was" if number == 1 else f"{number} processes were"


def _freeze(sharing: Sharing) -> str:
    if sharing.frozen:
        whom = "all processes" if sharing.frozen == sharing.processes else f"{sharing.frozen} of {sharing.processes}"
        return f"gc.freeze() before the fork is on in {whom}."
    if sharing.copied_mb is None or sharing.copied_mb < COPIED_MB:
        return ""
    return (
        f"Since it was forked, a process has copied {size(sharing.copied_mb)} of what it shared. "
        "gc.freeze() before the fork keeps most of that shared: see the page “Sharing memory” of the documentation."
    )


def _effect(effect: Effect | None) -> str:
    if effect is None:
        return ""
    return (
        f"With gc.freeze() a process has {size(effect.after_mb)} of its own, without it {size(effect.before_mb)} "
        f"(medians of {_lives(effect.after_lives)} with it and {_lives(effect.before_lives)} without)."
    )


def _lives(number: int) -> str:
    return "one process" if number == 1 else f"{number} processes"
