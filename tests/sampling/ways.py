"""The two ways to count objects: the compiled walk, and what works without it."""

from __future__ import annotations

import pytest

from memwatch.sampling import walk
from tests.servers import require

BOTH = ("walk", "fallback")


def use(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count in this way during the test."""
    if way == "fallback":
        monkeypatch.setattr(walk, "native", lambda: False)
    else:
        need_walk()


def need_walk() -> None:
    """Skip the test, or fail it as CI wants, where this Python has no compiled walk."""
    require("compiler", walk.census_method() if walk.native() else None, f"{walk.census_method()}; make test builds it")
