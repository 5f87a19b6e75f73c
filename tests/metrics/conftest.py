"""The fleet that the metrics show."""

from __future__ import annotations

import pytest

from memwatch.metrics import views
from memwatch.metrics.collector import FleetCollector
from tests.api.conftest import Fleet, fleet
from tests.services.conftest import transport_url

__all__ = ["Fleet", "fleet", "transport_url"]


@pytest.fixture(autouse=True)
def _nothing_read_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test's scrapes read its own rows."""
    monkeypatch.setattr(views, "fleet", FleetCollector(max_age_s=0))
