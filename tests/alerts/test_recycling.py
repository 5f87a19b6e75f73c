"""The alert for a policy of recycling that has stopped itself: raised once for a service, and not while it acts."""

from __future__ import annotations

from memwatch.alerts import decide
from memwatch.alerts.inputs import Fleet, RecyclingView
from memwatch.conf import Settings

GAINED_NOTHING = "The last 2 recycles gained nothing."


def stopped(reason: str) -> Fleet:
    return Fleet(recycling=(RecyclingView(service_id=1, service="web", reason=reason, why=GAINED_NOTHING),))


def test_recycling_that_does_not_help_is_said_once_for_the_service() -> None:
    (finding,) = decide(stopped("no_gain"), Settings())
    assert (finding.type, finding.severity, finding.subject) == ("recycling_useless", "high", "recycling:1")
    assert finding.message == f"web: recycling does not help, and has stopped. {GAINED_NOTHING}"


def test_orders_that_end_nobody_are_named_as_such() -> None:
    (finding,) = decide(stopped("not_possible"), Settings())
    assert finding.message.startswith("web: cannot recycle its workers, and has stopped.")


def test_a_policy_that_acts_raises_nothing() -> None:
    assert decide(Fleet(), Settings()) == []
