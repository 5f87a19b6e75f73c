import random
from collections.abc import Iterator

import pytest

from memwatch.agent.work import meter
from memwatch.agent.work.meter import Meter


class Always(random.Random):
    """Chooses each job that there is credit for."""

    def random(self) -> float:
        return 0.0


@pytest.fixture
def own_meter() -> Iterator[Meter]:
    """A fresh meter of this process; the one before it, if any, is begun again afterwards."""
    before = meter.meter()
    meter.begin_process()
    found = meter.meter()
    assert found is not None
    found._chance = Always()
    yield found
    meter.end_process()
    if before is not None:
        meter.begin_process()
