"""Servers and workers are killed and frozen: what was sent is stored, once, without a helping hand.

`make soak` has each outage by itself, for longer, and with the hosts' requests measured.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.outages import Deployment

pytestmark = [pytest.mark.deployment, pytest.mark.postgres, pytest.mark.redis]


def is_whole(deployment: Deployment) -> bool:
    """Every snapshot sent is stored and counted once, and what could not be stored is counted as such."""
    found = deployment.settle()
    agents = deployment.agents
    assert agents is not None
    assert (found["stored"], found["counted"]) == (agents.sent, agents.sent)
    assert (found["excerpts"], found["behind"]) == (agents.poisoned, 0)
    return agents.sent > 0 and agents.poisoned > 0


def test_three_ingesters_store_everything_once_on_a_bad_day(tmp_path: Path) -> None:
    with Deployment(tmp_path) as deployment:
        deployment.lives()
        deployment.away(deployment.postgres, "killed", 1)
        deployment.away(deployment.redis, "frozen", 3)
        deployment.kill_a_worker()
        deployment.away(deployment.redis, "killed", 1)
        deployment.away(deployment.postgres, "frozen", 2)
        deployment.lives()
        assert is_whole(deployment)
