"""Guests on both transports."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deployment.guest import Guest

MakeGuest = Callable[..., Guest]


@pytest.fixture
def local_url(tmp_path: Path) -> str:
    return f"local://{tmp_path}/transport"


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.redis)])
def transport_url(request: pytest.FixtureRequest, local_url: str) -> str:
    """Each transport in turn."""
    if request.param == "local":
        return local_url
    return f"{request.getfixturevalue('redis_url')}?prefix=guest-{secrets.token_hex(4)}"


@pytest.fixture
def make_guest(tmp_path: Path) -> Iterator[MakeGuest]:
    """Guests that are ended with the test."""
    made: list[Guest] = []

    def make(url: str, **environment: str) -> Guest:
        guest = Guest(tmp_path, url, environment=environment)
        made.append(guest)
        return guest

    yield make
    for guest in made:
        guest.close()
