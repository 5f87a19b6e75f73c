"""Whatever a watched process sends as the outcome of a recording, it is refused in words or fit for every page.

Two thousand hostile outcomes here, a million in `make soak`.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from memwatch.admin.recordings import pages, trim
from memwatch.admin.recordings.difference import tables_of
from memwatch.diagnosis.result_diff import difference
from memwatch.diagnosis.result_shape import checked
from memwatch.services.recordings.results import _result
from memwatch.transport.schema import sendable
from tests.services.recorded import RESULTS

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**18, -(10**18), 1e300, "", "x" * 5_000, "\x00\ud800", "<script>"),
    *([], {}, [[]], {"a": []}, [None], [1, "2", {}], {"": ""}, float("nan"), float("inf"), [float("-inf")]),
)


def mutated(value: Any, random: Random) -> Any:
    """A copy in which some places hold something else, are missing, doubled or wrapped."""
    chance = random.random()
    if chance < 0.04:
        return random.choice(ODD)
    if chance < 0.05:
        return [value]
    if isinstance(value, dict):
        made = {name: mutated(item, random) for name, item in value.items() if random.random() > 0.03}
        if random.random() < 0.05:
            made[random.choice([*value, "other"])] = random.choice(ODD)
        return made
    if isinstance(value, list):
        return [mutated(item, random) for item in value for _ in range(random.choice((1, 1, 1, 0, 2)))]
    return value


def _shown(kind: str, result: dict[str, Any]) -> None:
    if kind != "trim":
        pages._READERS[kind](result)
        return
    for part in (trim._sizes, trim._lines, trim._arenas):
        part(result)
    for each in trim.verdict(result).advice:
        trim._advice(each)


def feed(seeds: range) -> tuple[int, int]:
    """How many were taken and how many refused."""
    taken = refused = 0
    for seed in seeds:
        random = Random(seed)
        kind = random.choice(list(RESULTS))
        hostile = mutated(RESULTS[kind], random)
        try:
            result = _result(kind, json.dumps(hostile).encode())
        except ValueError as refusal:
            refused += 1
            unclear = not str(refusal).startswith("is no ")
            if unclear:
                pytest.fail(f"seed {seed}: {refusal}")
            continue
        taken += 1
        assert sendable(checked(kind, result)) == result, seed
        json.dumps(result, allow_nan=False).encode()
        _shown(kind, checked(kind, result))
        tables_of(difference(kind, RESULTS[kind], result))
    return taken, refused


def test_hostile_outcomes_are_refused_in_words_or_shown() -> None:
    taken, refused = feed(range(2_000))
    assert taken > 300
    assert refused > 300


@pytest.mark.soak
def test_a_million_hostile_outcomes() -> None:
    taken, refused = feed(range(1_000_000))
    assert taken + refused == 1_000_000
