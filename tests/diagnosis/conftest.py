"""Recordings run to their end in the test's own process, and a module whose objects they look for."""

from __future__ import annotations

import gc
import sys
import time
import types
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from memwatch.diagnosis import options
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.copy import child, parent
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import walk
from memwatch.diagnosis.referrers.recording import ReferrersRecording

HOST = Host(apart_s=0)


@pytest.fixture(scope="module", autouse=True)
def thawed_again() -> Iterator[None]:
    """What the file's tests have frozen is looked at by others again."""
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def small_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The objects of the test run itself are put where no pass over the heap looks: that takes its time.

    How fast a machine is, is asked elsewhere: a pass may hold for several times as long as a user is promised, and a
    copy of the process has its turn beside the other tests.
    """
    monkeypatch.setattr(walk, "LONGEST_HOLD_MS", 500.0)
    monkeypatch.setattr(child, "NICENESS", 0)
    monkeypatch.setattr(parent, "LONGEST_S", 240.0)
    gc.collect()  # of little: since the file's first test, the rest of the run stays frozen
    gc.freeze()


LONGEST_WAIT_S = 0.002


def run_to_end(work: Generator[float, None, Any]) -> Any:
    """What the generator returns, with the collector off while it works, as the agent has it.

    It waits as it is asked to, but not for long: a copy of the process works at the lowest priority, and would get no
    turn beside one that does not wait at all.
    """
    gc.collect()
    gc.disable()
    try:
        while True:
            time.sleep(min(next(work), LONGEST_WAIT_S))
    except StopIteration as end:
        return end.value
    finally:
        gc.enable()


def referrers(type_name: str, *, host: Host = HOST, **given: Any) -> dict[str, Any]:
    """The result of a recording of referrers."""
    recording = ReferrersRecording(options.referrers({"type": type_name, **given}), host)
    found: dict[str, Any] = run_to_end(recording.run(Meter())).to_dict()
    return found


def paths(result: dict[str, Any]) -> list[list[str]]:
    """Its chains' paths."""
    return [list(chain["path"]) for chain in result["chains"]]


@pytest.fixture
def shop() -> Iterator[types.ModuleType]:
    """A loaded module ``shop_under_test`` to put things into."""
    module = types.ModuleType("shop_under_test")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]
    vars(module).clear()


@pytest.fixture
def make_class(shop: types.ModuleType) -> Callable[..., Any]:
    """A class of that module: ``make_class("Quote", total=0)``."""

    def make(name: str, *bases: type, **namespace: Any) -> Any:
        return type(name, bases, {"__module__": shop.__name__, "__qualname__": name, **namespace})

    return make
