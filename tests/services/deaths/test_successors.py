"""Ends that a later process of the same place explains."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memwatch.models import Process
from memwatch.queries.deployment import counters
from memwatch.services.ingest import reader
from memwatch.transport.wire import Report
from tests.reports import at, process, report, snapshot

pytestmark = pytest.mark.django_db


def ingest(*reports: Report, now_s: float) -> None:
    reader.take([each.encode() for each in reports], now=at(now_s))


def vanished(pid: int = 1, *, reason: str = "unknown", ended_s: float = 180.0, **evidence: Any) -> Process:
    """A process whose end nothing explained."""
    ingest(report(process(pid), {0: snapshot()}), now_s=0)
    known = {
        "sentence": "It ended without a word, and nothing shows why. It had 90 MB.", "noticed_by": "hub",
        "oom": {"before": 0, "after": None, "group_before": 0, "group_after": None}, "rss_mb": 90.0,
    }  # fmt: skip
    row = Process.objects.get(pid=pid)
    row.ended_at, row.end_reason, row.end_evidence = at(ended_s), reason, known | evidence
    row.save()
    return row


def successor(oom: tuple[int, int] | None, *, now_s: float = 200.0, **more: Any) -> None:
    ingest(report(process(50, age_s=-190, **more), {0: snapshot(now_s - 1)}, oom=oom), now_s=now_s)


def reasons() -> list[str]:
    return list(Process.objects.exclude(ended_at=None).order_by("pid").values_list("end_reason", flat=True))


def test_a_higher_count_explains_it() -> None:
    vanished()
    successor((1, 0))
    row = Process.objects.get(pid=1)
    assert row.end_reason == "oom_process"
    assert row.end_evidence["sentence"] == (
        "The kernel probably killed it because memory ran out: a later process reads one more such kill. It had 90 MB."
    )
    assert (row.end_evidence["noticed_by"], row.end_evidence["certain"]) == ("successor", False)
    assert row.end_evidence["oom"] == {"before": 0, "after": 1, "group_before": 0, "group_after": 0}
    assert counters.totals(counters.DEATHS) == [({"service": "web", "reason": "oom_process"}, 1)]


@pytest.mark.parametrize(
    ("oom", "more", "explained"),
    [
        ((1, 0), {}, "oom_process"),
        ((5, 1), {}, "oom_container"),
        ((0, 0), {}, "unknown"),
        (None, {}, "unknown"),
        ((1, 0), {"host": "h2"}, "unknown"),
        ((1, 0), {"service": "other"}, "unknown"),
        ((1, 0), {"now_s": 180 + timedelta(minutes=11).total_seconds()}, "unknown"),
    ],
)
def test_only_of_the_same_place_and_soon(oom: Any, more: Any, explained: str) -> None:
    vanished()
    successor(oom, **more)
    assert reasons() == [explained]


def test_a_host_that_is_back_with_more_kills_was_a_container() -> None:
    vanished(1, reason="host_gone")
    vanished(2, reason="host_gone")
    successor((2, 0))
    assert reasons() == ["oom_container", "oom_container"]


def test_one_kill_explains_the_largest_of_several() -> None:
    vanished(1, rss_mb=50.0)
    vanished(2, rss_mb=70.0)
    vanished(3, rss_mb=60.0)
    successor((2, 0))
    assert reasons() == ["unknown", "oom_process", "oom_process"]
    ingest(report(process(50, age_s=-190), {1: snapshot(260)}, oom=(3, 0)), now_s=261)
    assert reasons() == ["oom_process", "oom_process", "oom_process"]


@pytest.mark.parametrize("known", [{"oom": None}, {"noticed_by": "process"}])
def test_what_has_no_count_or_was_seen_by_others_stays(known: Any) -> None:
    vanished(**known)
    successor((1, 0))
    assert reasons() == ["unknown"]


def test_a_count_is_stored_with_the_process() -> None:
    successor((3, 1))
    row = Process.objects.get(pid=50)
    assert (row.oom_kills, row.oom_group_kills) == (3, 1)
    ingest(report(process(50, age_s=-190), {1: snapshot(300)}), now_s=301)
    row.refresh_from_db()
    assert row.oom_kills == 3, "a report without counters says nothing of them"
