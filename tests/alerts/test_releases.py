"""The alert for a release that takes more memory: raised for what matters, and held while it is about there."""

from __future__ import annotations

from typing import Any

import pytest

from memwatch.alerts import decide
from memwatch.alerts.inputs import Fleet, ReleaseView
from memwatch.conf import Settings

SAYS = "+150 MB a worker at birth, of it about 120 MB from 977 modules of ddtrace 4.1"


def fleet(raised: bool = False, **figures: dict[str, Any]) -> Fleet:
    view = ReleaseView(id=7, service_id=1, service="web", name="2.4", before="2.3", figures=figures, says=SAYS)
    return Fleet(releases=(view,), raised={("release_change", "release:7"): "medium"} if raised else {})


def figure(shift: float, verdict: str = "more", before: float = 100.0) -> dict[str, Any]:
    return {"verdict": verdict, "shift": shift, "before": before, "after": before + shift}


def test_a_larger_release_is_said_once_with_its_dependency() -> None:
    (finding,) = decide(fleet(rss_birth=figure(150)), Settings())
    assert (finding.type, finding.subject, finding.severity, finding.value) == (
        "release_change", "release:7", "medium", 150.0,
    )  # fmt: skip
    assert finding.message.startswith(f"web 2.4: {SAYS}. It was compared with 2.3.")


@pytest.mark.parametrize(
    "figures",
    [
        {"rss_birth": figure(150, "unclear")},
        {"rss_birth": figure(150, "unknown")},
        {"rss_birth": figure(-150, "less")},
        {"rss_birth": figure(12)},  # less than 16 MB
        {"rss_birth": figure(40, before=900)},  # less than a tenth
        {"objects_birth": figure(1_000_000)},
        {"growth_per_hour": figure(0.5, before=0.0), "rss_birth": figure(0, "same")},
        {},
    ],
)
def test_what_does_not_matter_raises_nothing(figures: dict[str, Any]) -> None:
    assert decide(fleet(**figures), Settings()) == []


def test_growth_counts_as_what_it_adds_in_a_day() -> None:
    (finding,) = decide(fleet(growth_per_hour=figure(4, before=0.0), rss_birth=figure(0, "same")), Settings())
    assert finding.value == 4.0


def test_a_raised_one_is_held_against_small_differences() -> None:
    nearly = {"rss_birth": figure(15.5, "unclear")}
    assert decide(fleet(**nearly), Settings()) == []
    assert len(decide(fleet(raised=True, **nearly), Settings())) == 1
    assert decide(fleet(raised=True, rss_birth=figure(2, "same")), Settings()) == []
