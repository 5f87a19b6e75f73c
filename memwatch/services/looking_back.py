"""Before a leak is opened: a look at the hours before the one that shows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from memwatch.detection import History, Thresholds, Verdict, judge
from memwatch.models import Process
from memwatch.queries.earlier import earlier_counts

HOW_FAR = timedelta(days=1)


def looked_back(
    process: Process,
    history: History,
    verdicts: Sequence[Verdict],
    *,
    followed: Collection[str],
    thresholds: Thresholds,
) -> Sequence[Verdict]:
    """The verdicts on the hour; anew with what was before, where a leak of objects shows that is not ``followed`` yet.

    One that is goes on being seen by the hour alone: it was looked into when it was opened.
    """
    leaks = [verdict for verdict in verdicts if verdict.is_leak and verdict.kind == "objects"]
    if all(verdict.object_type in followed for verdict in leaks):
        return verdicts
    names = {name for verdict in leaks for name in (verdict.object_type, *verdict.grows_with)}
    begin = datetime.fromtimestamp(history.times[0], UTC)
    earlier = earlier_counts(process, names, since=begin - HOW_FAR, before=begin)
    if not earlier:
        return verdicts
    return judge(dataclasses.replace(history, earlier=earlier), thresholds=thresholds, window="hour")
