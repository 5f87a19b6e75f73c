"""Garbage and bounds in sentences: garbage first, and "not a leak" only where that is sure."""

from __future__ import annotations

from typing import Any

import pytest

from memwatch.diagnosis.structure.evidence import finding
from memwatch.diagnosis.structure.expected_time import expected_s
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
FULL_CACHE: dict[str, Any] = {
    "limit": 200, "entries": 200, "by": "limit = 200 of shop.Lru", "enforced": False, "own": True, "explains": False,
    "when_full_kb": 400.0, "fits": True,
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
        ({"count": 750, "of": 1_000, "since_full_s": 0.0}, {"bound": FULL_CACHE},
         ("75 % of them are garbage that waits for a full collection. Not a leak. "
          "A cache of 200 entries, full (limit = 200 of shop.Lru): it replaces its entries.")),
        ({"count": 650, "of": 1_000, "since_full_s": 0.0}, {"bound": FULL_CACHE},
         ("65 % of them are garbage that waits for a full collection. "
          "A cache of 200 entries, full (limit = 200 of shop.Lru): it replaces its entries.")),
        ({"count": 60, "of": 300, "since_full_s": 0.0}, {"bound": FULL_CACHE},
         ("20 % of them are garbage that waits for a full collection. "
          "A cache of 200 entries, full (limit = 200 of shop.Lru): it replaces its entries.")),
        ({"count": 750, "of": 1_000, "since_full_s": 0.0}, {"grew": 40, "bound": FULL_CACHE},
         ("75 % of them are garbage that waits for a full collection. "
          "A cache of 200 entries, full (limit = 200 of shop.Lru): what its entries hold grows.")),
        ({"count": 850, "of": 1_000, "since_full_s": 0.0}, {"bound": {**FULL_CACHE, "entries": 150}},
         ("85 % of them are garbage that waits for a full collection. "
          "A cache of 200 entries, 75 % full (limit = 200 of shop.Lru).")),
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


LIFETIME: dict[str, Any] = {
    "seconds": 600.0, "by": "ttl = 600 of shop.Sessions", "entries": 300, "timed": 0, "overdue": 0, "overdue_s": None,
    "explains": True, "when_due_kb": 3_277.0, "fits": True,
}  # fmt: skip
EXPIRES = "Its entries expire after 10 minutes (ttl = 600 of shop.Sessions)"


@pytest.mark.parametrize(
    ("lifetime", "grown_s", "said"),
    [
        ({}, None, f"{EXPIRES}: growth for 16 minutes is expected. By then, it takes 3.2 MB, which fits."),
        ({"when_due_kb": None}, None, f"{EXPIRES}: growth for 16 minutes is expected."),
        ({"timed": 200, "when_due_kb": None}, None,
         f"{EXPIRES}: growth for 16 minutes is expected, and for a day while no entries are overdue."),
        ({}, 2_400.0, ("Its entries are said to expire after 10 minutes (ttl = 600 of shop.Sessions), "
                       "but it still grows after 40 minutes.")),
        ({"timed": 200, "overdue": 150, "overdue_s": 3_600.0}, None,
         ("Its entries are said to expire after 10 minutes (ttl = 600 of shop.Sessions), but 150 of 200 looked at are "
          "overdue, one by 1 hour.")),
        ({"fits": False, "when_due_kb": 10_276_044.8}, None,
         f"{EXPIRES}, but that is too late. By then, it takes 9.8 GB, which does not fit."),
        ({"seconds": 1_209_600.0}, None, ("Its entries expire only after 14 days (ttl = 600 of shop.Sessions). "
                                          "By then, it takes 3.2 MB, which fits.")),
        ({"explains": False}, None, ""),
    ],
)  # fmt: skip
def test_lifetimes(lifetime: dict[str, Any], grown_s: float | None, said: str) -> None:
    assert finding({}, {**GROWS, "lifetime": {**LIFETIME, **lifetime}}, grown_s=grown_s) == said


def test_a_bound_that_explains_the_growth_is_enough() -> None:
    said = finding({}, {**GROWS, "bound": BOUND, "lifetime": LIFETIME})
    assert said.endswith("expected growth, not a leak. Full, it takes 3.2 MB.")


EXPIRING = {"holds": 90, "seconds": 600.0, "timed": False}
ROOM = 960.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("expiring", "holder", "grown_s", "for_s"),
    [
        ({}, {}, 60.0, ROOM),
        ({"timed": True}, {}, ROOM - 1, ROOM),
        ({"timed": True}, {}, ROOM + 1, DAY),
        ({"seconds": DAY}, {}, 60.0, 1.5 * DAY + 60.0),
        ({"seconds": DAY + 1}, {"lifetime": {**LIFETIME, "seconds": DAY + 1}}, 60.0, 0.0),
        ({"seconds": -5.0}, {}, 60.0, 0.0),
        ({"seconds": 1e300}, {}, 60.0, 0.0),
        ({"seconds": "x"}, {}, 60.0, 0.0),
        ({}, {"lifetime": {**LIFETIME, "fits": False}}, 60.0, 0.0),
        ({}, {"lifetime": {**LIFETIME, "explains": False}}, 60.0, 0.0),
        ({}, {"lifetime": {**LIFETIME, "timed": 200, "overdue": 11}}, 60.0, 0.0),
        ({}, {"lifetime": None}, 60.0, 0.0),
        ({}, {"lifetime": None, "grew": None}, 60.0, 0.0),
        ({}, {"lifetime": None, "grew": 0}, 60.0, ROOM),
        ({}, {"lifetime": None, "bound": BOUND}, 60.0, ROOM),
    ],
)  # fmt: skip
def test_for_how_long_growth_is_expected(
    expiring: dict[str, Any], holder: dict[str, Any], grown_s: float, for_s: float
) -> None:
    candidates = [{"grew": 61, "lifetime": LIFETIME}, {"grew": 61, "lifetime": LIFETIME, **holder}]
    assert expected_s({"expiring": {**EXPIRING, **expiring}, "candidates": candidates}, grown_s) == for_s


@pytest.mark.parametrize("hostile", [None, 5, "x", [], [5], {"seconds": []}])
def test_whatever_an_agent_sent_expects_nothing(hostile: Any) -> None:
    assert expected_s({"expiring": hostile, "candidates": hostile}, 5.0) == 0.0
    assert finding({}, {"lifetime": hostile}) == ""
