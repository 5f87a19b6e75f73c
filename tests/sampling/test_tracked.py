"""A large heap is listed in two calls, and each of its objects counted once, whatever happens between two of them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from memwatch.sampling import tracked
from memwatch.sampling.census import take_census
from memwatch.sampling.names import TypeNames

WHERE = __name__


class Early:
    """Among the oldest."""


class Late:
    """Among the youngest of the oldest generation."""


class Young:
    """Still young."""


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[Any]]]:
    """A heap that is large enough, with the collector off as the agent has it."""
    monkeypatch.setattr(tracked, "WHOLE", 1_000)
    held: dict[str, list[Any]] = {"early": [Early() for _ in range(20_000)]}
    gc.collect()
    held["late"] = [Late() for _ in range(20_000)]
    gc.collect()
    gc.disable()
    held["young"] = [Young() for _ in range(500)]
    try:
        yield held
    finally:
        gc.enable()


def counts(between: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """By class of this module; ``between`` is called before each of the calls but the first.

    The last part begins in the midst of the late ones.
    """
    calls: list[int] = []

    def breathe() -> None:
        calls.append(len(calls))
        if len(calls) > 1:
            between()

    monkeypatch.setattr(tracked, "breathe", breathe)
    begins = len(gc.get_objects(2)) - 10_000
    census = take_census(TypeNames(), expected=begins * tracked.PARTS // (tracked.PARTS - 1))
    assert len(calls) >= tracked.PARTS, "in parts"
    return {name.removeprefix(f"{WHERE}."): n for name, n in census.counts.items() if name.startswith(WHERE)}


def test_each_object_is_counted_once(kept: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert counts(lambda: None, monkeypatch) == {"Early": 20_000, "Late": 20_000, "Young": 500}
    assert len(kept["young"]) == 500


def test_what_moves_up_when_others_die_is_counted_all_the_same(
    kept: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        del kept["early"][:900]

    assert counts(die, monkeypatch)["Late"] == 20_000


def test_when_more_die_than_can_be_followed_it_begins_again(
    kept: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        del kept["early"][: tracked.WINDOW + 1_000]

    assert counts(die, monkeypatch)["Late"] == 20_000


def test_what_grows_old_meanwhile_is_not_counted_twice(
    kept: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow_old() -> None:
        gc.collect(1)

    found = counts(grow_old, monkeypatch)
    assert (found["Late"], found["Young"]) == (20_000, 500)
    assert kept


def test_a_full_collection_meanwhile_makes_it_begin_again(
    kept: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def collect() -> None:
        kept["early"] = kept["early"][::-1]  # held by a younger list they go to the end
        gc.collect()

    assert counts(collect, monkeypatch) == {"Early": 20_000, "Late": 20_000, "Young": 500}


def test_a_heap_smaller_than_it_was_is_counted_too(kept: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked, "breathe", lambda: None)
    census = take_census(TypeNames(), expected=10 * len(gc.get_objects()))
    assert [census.counts[f"{WHERE}.{each}"] for each in ("Early", "Late", "Young")] == [20_000, 20_000, 500]
    assert kept


def test_a_small_heap_and_one_without_a_collector_are_listed_at_once(
    kept: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(tracked, "breathe", lambda: calls.append(0))
    take_census(TypeNames(), expected=500)
    assert len(calls) == 1
    kept["more"] = [[] for _ in range(tracked.YOUNG + 1)]
    take_census(TypeNames(), expected=10**6)
    assert len(calls) == 2
