"""memwatch goes as it came: nothing of it is left in a site, with Celery's own scheduler or with django-celery-beat."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.foreign.conftest import Site

SCHEDULERS = {
    "": "celery.beat:PersistentScheduler",
    "database": "django_celery_beat.schedulers:DatabaseScheduler",
}
SITES_OWN = {"the site's own": 2, "intervals": 1}
"""Celery's own cleaning and the depot's task, and the interval of that."""


@pytest.mark.parametrize("kept", SCHEDULERS)
def test_a_rehearsal_changes_nothing_and_then_nothing_of_memwatch_is_left(kept: str, site: Callable[..., Site]) -> None:
    if kept:
        pytest.importorskip("django_celery_beat", reason="django-celery-beat knows no Django as new as this one")
    told = json.loads(site("depot", SITE_SCHEDULER=kept).run("-m", "tests.foreign.uninstalling", SCHEDULERS[kept]))

    assert told["before"]["messages"] == 7
    assert told["before"]["messages that never expire"] == 0
    assert told["before"]["tables"] > 10
    assert told["between"] == told["before"]
    assert "2  groups would be removed" in told["rehearsal"]
    assert "7  messages in the queue 'memwatch' would be removed" in told["rehearsal"]
    assert "Nothing was changed" in told["rehearsal"]
    assert ("7  periodic tasks of django-celery-beat would be removed" in told["rehearsal"]) is bool(kept)

    assert "2  groups removed" in told["done"]
    assert {what: count for what, count in told["after"].items() if count} == (SITES_OWN if kept else {})
