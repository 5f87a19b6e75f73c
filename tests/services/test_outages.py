"""Servers and workers are stopped, killed and frozen: what was sent is stored, once, without a helping hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.outages import Deployment

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


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


@pytest.mark.soak
@pytest.mark.parametrize("how", ["stopped", "killed", "frozen"])
@pytest.mark.parametrize("what", ["postgres", "redis"])
def test_a_server_away_for_half_a_minute_costs_nothing_but_time(what: str, how: str, tmp_path: Path) -> None:
    with Deployment(tmp_path) as deployment:
        deployment.lives()
        deployment.away(getattr(deployment, what), how, 30)
        deployment.lives()
        assert is_whole(deployment)


@pytest.mark.soak
def test_workers_killed_again_and_again_store_everything_once(tmp_path: Path) -> None:
    with Deployment(tmp_path) as deployment:
        for _ in range(10):
            deployment.lives()
            deployment.kill_a_worker()
        deployment.lives()
        assert is_whole(deployment)
