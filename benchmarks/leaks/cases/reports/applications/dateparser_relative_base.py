"""Dates of mails parsed relative to when the mail came: dateparser caches words by settings, and these never repeat.

Reported as scrapinghub/dateparser#985 and #1140. In 1.1.8 the word lists end at 1,000 entries; the settings do not.
"""

import datetime
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="dateparser's settings and word lists by RELATIVE_BASE",
    leaks="objects",
    culprit=("dateparser.*", "dict", "list"),
    requires=("dateparser==1.1.8",),
    source="https://github.com/scrapinghub/dateparser/issues/985",
)
_dateparser: Any = None
START = datetime.datetime(2026, 1, 1)  # noqa: DTZ001 - dateparser's own zone


def setup() -> None:
    global _dateparser
    import dateparser

    _dateparser = dateparser


def step(i: int) -> None:
    if i % 40 == 0:
        base = START + datetime.timedelta(seconds=i)
        _dateparser.parse("12.01.2021", languages=["en"], settings={"RELATIVE_BASE": base})
