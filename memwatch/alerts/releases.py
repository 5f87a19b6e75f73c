"""The rule for releases: their workers take more memory than those of the release before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memwatch.alerts.inputs import Finding, Fleet
from memwatch.conf import Settings
from memwatch.detection.releases.comparison import MORE, UNKNOWN
from memwatch.detection.releases.figures import BIRTH, GROWTH, LATER

TYPE = "release_change"
JUDGED = (BIRTH, LATER, GROWTH)
"""The figures that raise an alert."""

Figures = Mapping[str, Mapping[str, Any]]
"""The verdict on each figure, as it is stored with a release."""


class ReleaseChangeRule:
    """The workers of a release are larger than those of the release before, or grow faster."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for release in fleet.releases:
            mb = takes_more(release.figures, limits, hold=fleet.hold(release.subject)(TYPE))
            if mb is not None:
                yield Finding(
                    type=TYPE,
                    subject=release.subject,
                    severity="medium",
                    message=(
                        f"{release.service} {release.name}: {release.says}. It was compared with {release.before}. "
                        "See the page of the release, and decide whether it stays."
                    ),
                    value=mb,
                    threshold=None,
                    service_id=release.service_id,
                )


def takes_more(figures: Figures, limits: Settings, *, hold: float = 1.0) -> float | None:
    """How many MB a worker takes more, in an hour if it is growth; ``None`` if it is not enough for an alert."""
    for name in JUDGED:
        figure = figures.get(name) or {}
        shift, before = figure.get("shift") or 0.0, figure.get("before") or 0.0
        if figure.get("verdict") != MORE and (hold == 1.0 or figure.get("verdict") == UNKNOWN):
            continue
        least = max(limits.release_change_min_mb, limits.release_change_percent / 100 * before)
        if name == GROWTH:
            # What it grows more in a day counts against what a worker takes.
            birth = (figures.get(BIRTH) or {}).get("after") or 0.0
            least = max(limits.release_change_min_mb, limits.release_change_percent / 100 * birth) / 24
        if shift > 0 and shift >= least * hold:
            return float(shift)
    return None
