"""The agent reports the distributions of its process once, when it has had time to import what it needs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memwatch.agent import distributions
from memwatch.agent.distributions import LOOK_AFTER_S, DistributionsWatch
from memwatch.records.distributions import Distribution, Inventory, Package
from tests.agent.conftest import Watched

FOUND = Inventory((Distribution("celery", "5.3.6", True),), (Package("celery", 96, "celery"),))


def test_one_look_and_late() -> None:
    now = 100.0
    watch = DistributionsWatch(look=lambda: FOUND, clock=lambda: now)
    assert watch.look() is None
    now += LOOK_AFTER_S - 1
    assert watch.look() is None
    now += 1
    assert watch.look() == FOUND
    assert watch.look() is None


def test_a_look_that_fails_is_not_repeated() -> None:
    now, looks = 0.0, []

    def fails() -> Inventory:
        looks.append(now)
        raise OSError("gone")

    watch = DistributionsWatch(look=fails, clock=lambda: now)
    watch.look()
    now = LOOK_AFTER_S
    with pytest.raises(OSError, match="gone"):
        watch.look()
    assert watch.look() is None
    assert looks == [LOOK_AFTER_S]


def test_they_are_in_one_report_of_the_process(
    make_watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributions, "LOOK_AFTER_S", 0.3)
    watched = make_watched()
    watched.wait(lambda found: any(report.distributions for report in found))
    seen = len(watched.reports)
    reports = watched.wait(lambda found: len(found) >= seen + 3)
    (once,) = [report for report in reports if report.distributions is not None or report.packages is not None]
    assert {"pytest", "psutil"} <= {each.name for each in once.distributions if each.imported}
    assert {"pytest", "psutil"} <= {each.distribution for each in once.packages}
