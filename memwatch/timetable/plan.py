"""Which steps of the timetable are due. Pure; times are seconds of one clock that is never set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

EARLY_S = 30.0
"""A run of a program that a timer starts each minute may be early by so much, or by half of the step's interval."""


class Plan:
    """What runs next, of steps that each have an interval. A step that runs is not due again before it has ended."""

    def __init__(self, every: Mapping[str, float], ages: Mapping[str, float], now: float) -> None:
        """``every``: seconds by step; ``ages``: how many seconds ago each last ended, missing where it never did."""
        self._every = dict(every)
        self._at = {step: now + max(0.0, seconds - ages.get(step, seconds)) for step, seconds in every.items()}
        self._began: dict[str, float] = {}

    def begin(self, now: float) -> list[str]:
        """The steps that are due, the longest overdue first; they run from now on."""
        due = sorted((step for step, at in self._at.items() if at <= now), key=self._at.__getitem__)
        for step in due:
            del self._at[step]
            self._began[step] = now
        return due

    def end(self, step: str, now: float) -> None:
        """It has ended, well or not: it is due an interval after its begin, or now."""
        self._at[step] = max(now, self._began.pop(step) + self._every[step])

    def wait_s(self, now: float) -> float | None:
        """Seconds until one is due; ``None`` while all run."""
        return max(0.0, min(self._at.values()) - now) if self._at else None

    @property
    def running(self) -> list[str]:
        """The steps that have begun and not ended, in this order."""
        return list(self._began)


def due_once(every: Mapping[str, float], ages: Mapping[str, float]) -> Iterable[str]:
    """The steps that a program should run which a timer starts again and again."""
    return [step for step, s in every.items() if ages.get(step, s) >= s - min(EARLY_S, s / 2)]
