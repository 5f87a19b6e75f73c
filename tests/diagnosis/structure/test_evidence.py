"""Garbage and bounds in sentences: garbage first, and "not a leak" only where that is sure."""

from __future__ import annotations

from typing import Any

import pytest

from memwatch.diagnosis.structure.evidence import finding
from memwatch.models import Recording, RecordingKind
from memwatch.queries.diagnosis.recordings import conclude
from tests.queries.test_conclusions import TRAIL, found

GARBAGE: dict[str, Any] = {
    "count": 930, "of": 1_000, "frozen": 0, "unknown": "", "collects": True, "thresholds": [700, 10, 10],
    "full_collections": 3, "since_full_s": 2_400.0,
}  # fmt: skip
BOUND: dict[str, Any] = {
    "limit": 1_024, "entries": 625, "by": "lru_cache(maxsize=1024) of shop.views.price", "enforced": True, "own": True,
    "explains": True, "when_full_kb": 3_277.0, "fits": True,
}  # fmt: skip
GROWS = {"sure": True, "grew": 61}


@pytest.mark.parametrize(
    ("garbage", "holder", "said"),
    [
        ({}, {}, "93 % of them are garbage that waits for a full collection; none has run for 40 minutes. Not a leak."),
        ({}, GROWS, "93 % of them are garbage that waits for a full collection; none has run for 40 minutes."),
        ({"count": 400, "since_full_s": 10.0}, {}, "40 % of them are garbage that waits for a full collection."),
        ({"collects": False}, {}, ("93 % of them are garbage, and the garbage collector is off (gc.disable()): "
                                  "memory grows until it runs.")),
        ({"collects": False, "thresholds": [0, 0, 0]}, {}, ("93 % of them are garbage, and the garbage collector is "
                                                           "off (gc.set_threshold(0)): memory grows until it runs.")),
        ({"full_collections": 0}, GROWS, ("93 % of them are garbage that waits for a full collection; "
                                         "none has run since the process started.")),
        ({"count": 10}, {}, ""),
        ({"count": None}, {}, ""),
    ],
)  # fmt: skip
def test_garbage(garbage: dict[str, Any], holder: dict[str, Any], said: str) -> None:
    assert finding({"garbage": {**GARBAGE, **garbage}}, holder) == said


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ({}, ("A cache of 1,024 entries, 61 % full (lru_cache(maxsize=1024) of shop.views.price): "
             "expected growth, not a leak. Full, it takes 3.2 MB.")),
        ({"enforced": False, "by": "maxsize = 1024 of shop.Lru"},
         ("A cache of 1,024 entries, 61 % full, if the program keeps to maxsize = 1024 of shop.Lru: expected growth. "
         "Full, it takes 3.2 MB.")),
        ({"explains": False}, "A cache of 1,024 entries, 61 % full (lru_cache(maxsize=1024) of shop.views.price)."),
        ({"entries": 1_024, "by": "x"}, "A cache of 1,024 entries, full (x): it replaces its entries."),
        ({"entries": 1_024, "by": "x", "explains": False},
         "A cache of 1,024 entries, full (x): what its entries hold grows."),
        ({"limit": 10_000_000, "fits": False, "when_full_kb": 10_276_044.8, "by": "x"},
         "Bounded, but its bound of 10,000,000 does not fit: full, it would take 9.8 GB (x)."),
        ({"own": False, "by": "x"}, ("It is held by an entry of a cache of 1,024 entries (x): "
         "what the entries hold grows.")),
    ],
)  # fmt: skip
def test_bounds(bound: dict[str, Any], said: str) -> None:
    assert finding({}, {**GROWS, "bound": {**BOUND, **bound}}) == said


def test_a_full_cache_that_does_not_grow_replaces_its_entries() -> None:
    bound = {**BOUND, "entries": 1_024, "by": "x"}
    assert finding({}, {"grew": 0, "bound": bound}) == "A cache of 1,024 entries, full (x): it replaces its entries."


def test_garbage_comes_first_and_the_finding_is_part_of_the_conclusion() -> None:
    result = {**found({**TRAIL, "bound": BOUND}), "garbage": GARBAGE}
    said = conclude([Recording(kind=RecordingKind.REFERRERS, result=result)]).finding
    assert said.startswith("93 % of them are garbage")
    assert said.endswith("expected growth, not a leak. Full, it takes 3.2 MB.")


@pytest.mark.parametrize("hostile", [None, 5, "x", [], {"count": "x", "of": []}, {"limit": "9", "entries": {}}])
def test_whatever_an_agent_sent_raises_nothing(hostile: Any) -> None:
    assert finding({"garbage": hostile}, {"bound": hostile}) == ""
