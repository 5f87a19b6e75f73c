"""Dumps of the test's own process: gRPC, beside which one is refused, may be loaded, and the machine may be busy."""

from __future__ import annotations

import sys

import pytest

from memwatch.diagnosis.copy import child


@pytest.fixture(autouse=True)
def without_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program that has not loaded it; the tests of the refusal say themselves that it is there."""
    monkeypatch.delitem(sys.modules, "grpc._cython.cygrpc", raising=False)


@pytest.fixture(autouse=True)
def with_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy that writes a dump has its turn beside the other tests, instead of after all of them."""
    monkeypatch.setattr(child, "NICENESS", 0)
