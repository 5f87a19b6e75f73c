"""Dumps are made here although another test of this worker may have loaded gRPC, beside which a dump is refused."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def without_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program that has not loaded it; the tests of the refusal say themselves that it is there."""
    monkeypatch.delitem(sys.modules, "grpc._cython.cygrpc", raising=False)
