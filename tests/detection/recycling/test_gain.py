"""When recycling does not help, and stops itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from memwatch.detection.recycling import Past, judge, settle_s

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def past(gained_mb: float | None = 300.0, **given: object) -> Past:
    return Past(**{"at": AT, "worker": 1, "before_mb": 400.0, "gained_mb": gained_mb, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ((), ""),
        ((past(), past(), past()), ""),
        ((past(0.0),), ""),  # one may be a mistake
        ((past(0.0), past(0.0)), "no_gain"),
        ((past(-20.0), past(39.0)), "no_gain"),
        ((past(0.0), past(41.0)), ""),
        ((past(0.0), past(), past(0.0)), ""),
        ((past(None), past(0.0), past(0.0)), "no_gain"),  # the newest is not measured yet
        ((past(grew_back=True), past(grew_back=True)), "grows_back"),
        ((past(None, grew_back=True), past(grew_back=True)), "grows_back"),
        ((past(0.0), past(grew_back=True)), "grows_back"),
        ((past(grew_back=True), past()), ""),
        ((past(None, done=False),) * 2, ""),
        ((past(None, done=False),) * 3, "not_possible"),
        ((past(None, done=False), past(None, done=False), past()), ""),
        ((past(None, replaced=False),) * 2, "no_successor"),
        ((past(None, replaced=False), past(None, done=False), past(None, replaced=False)), "no_successor"),
        ((past(None, replaced=False), past()), ""),
    ],
)
def test_a_policy_stops_itself_when_it_does_not_help(history: tuple[Past, ...], reason: str) -> None:
    found = judge(history)
    assert found.reason == reason
    assert bool(found.why) is bool(reason)


def test_a_successor_is_compared_when_it_has_loaded_what_it_needs() -> None:
    assert (settle_s(900.0), settle_s(20.0)) == (120.0, 10.0)
