"""The doctor: whether everything that memwatch needs is there, line by line, with the remedy where it is not.

Each examination is a function without arguments that yields findings; two tuples list them in the order in
which they are shown. One that breaks is a finding itself.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Iterable, Iterator

from memwatch.terminal import doctor_celery, doctor_flights, doctor_pages, doctor_site, unwatched
from memwatch.terminal.finding import Finding

Examination = Callable[[], Iterable[Finding]]

FIRST: tuple[Examination, ...] = (
    doctor_site.settings,
    doctor_site.pages,
    doctor_site.static_files,
    doctor_site.transport,
    doctor_flights.records,
    doctor_celery.broker,
    doctor_celery.timetable,
    doctor_celery.queue,
    doctor_site.database,
)
WITH_TABLES: tuple[Examination, ...] = (
    doctor_pages.requests,
    doctor_celery.ticks,
    doctor_site.groups,
    doctor_site.agents,
    doctor_site.commands_are_obeyed,
    unwatched.processes,
)
"""What asks the database: left out where that is not as it should be."""


@dataclasses.dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings of one visit."""

    findings: tuple[Finding, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing needs a remedy."""
        return all(finding.ok is not False for finding in self.findings)


def examine(
    first: Iterable[Examination] = FIRST, with_tables: Iterable[Examination] = WITH_TABLES
) -> Iterator[Finding]:
    """Every finding as it is made; those that need the tables only where the last of ``first`` is content."""
    last: Finding | None = None
    for last in _all(first):
        yield last
    if last is None or last.ok is not False:
        yield from _all(with_tables)


def _all(examinations: Iterable[Examination]) -> Iterator[Finding]:
    for examination in examinations:
        try:
            yield from examination()
        except Exception as error:  # noqa: BLE001 - the other findings are wanted all the more
            what = f"{examination.__name__.replace('_', ' ')}: {type(error).__name__}: {str(error)[:200]}"
            yield Finding(False, what, f"It failed {_where(error)}: please report it, with the lines above.")


def _where(error: Exception) -> str:
    """The last place that it came through."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"in {last.name}, {last.filename}:{last.lineno}"
