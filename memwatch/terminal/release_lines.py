"""What the newest release of each service changed, in one line each."""

from __future__ import annotations

from memwatch.queries.releases.stored import running


def lines(service: str | None = None) -> tuple[str, ...]:
    """E.g. ``web 2.4 against 2.3: +150 MB a worker at birth``; none of what was not compared. One query."""
    return tuple(
        f"{release.service.name} {release.name} against {release.compared_with.name}: {release.changes['says']}"
        for release in running(service)
        if release.compared_with is not None and release.changes.get("says")
    )
