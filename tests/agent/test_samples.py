"""What the agent adds to the figures of the sampler."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memwatch.agent import samples
from memwatch.agent.work import meter
from memwatch.agent.work.meter import Meter
from memwatch.records.work import TASK, WorkFigures
from memwatch.transport.wire import Report
from tests.agent.conftest import Watched
from tests.agent.work.conftest import own_meter

__all__ = ["own_meter"]


@pytest.fixture
def few_names(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(samples, "MOST_JOB_NAMES", 3)
    return 3


def jobs(reports: list[Report]) -> list[WorkFigures]:
    return [job for report in reports for _seq, each in report.snapshots for job in each.work or ()]


def call(*names: str) -> None:
    for name in names:
        job = meter.begin(TASK, name, mark=name)
        assert job is not None
        job.end()


def counted(watched: Watched, at_least: int) -> list[int]:
    """The figure in each snapshot until it is so much."""
    found = list[int]()

    def enough(reports: object) -> bool:
        del reports
        found[:] = [each.job_names or 0 for report in watched.reports for _seq, each in report.snapshots]
        return bool(found) and found[-1] >= at_least

    watched.wait(enough)
    return found


def test_names_of_jobs_are_counted_once(own_meter: Meter, make_watched: Callable[..., Watched]) -> None:
    watched = make_watched()
    call("a", "b", "a")
    assert counted(watched, 2)[-1] == 2
    call("b", "c")
    found = counted(watched, 3)
    assert found[-1] == 3
    assert found == sorted(found)


def test_names_that_never_end_are_not_all_kept(
    own_meter: Meter, few_names: int, make_watched: Callable[..., Watched]
) -> None:
    watched = make_watched()
    call("a", "b", "c", "d")
    most = counted(watched, few_names)[-1]
    call("e", "f")
    watched.wait(lambda reports: any(job.name == "f" for job in jobs(reports)))
    assert counted(watched, few_names)[-1] == most
