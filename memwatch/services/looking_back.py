"""Before a leak is opened: a look at the hours before the one that shows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from memwatch.detection import History
from memwatch.models import Process
from memwatch.queries.earlier import EarlierCounts

HOW_FAR = timedelta(days=1)


def with_look_back(process: Process, history: History, *, followed: Collection[str]) -> History:
    """The history of an hour, which lets the rules ask what was in the day before.

    Not of types whose leak is ``followed``: it was looked into when it was opened, and goes on being seen by the hour.
    """
    begin = datetime.fromtimestamp(history.times[0], UTC)
    counts = EarlierCounts(process, since=begin - HOW_FAR, before=begin)

    def earlier(name: str) -> Sequence[int]:
        return () if name in followed else counts.of(name)

    return dataclasses.replace(history, earlier=earlier)
