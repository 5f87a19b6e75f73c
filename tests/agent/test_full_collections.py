"""For how long there was no full collection, at least."""

from __future__ import annotations

import gc

from memwatch.agent.full_collections import FullCollections


def test_it_counts_from_the_first_look_and_from_each_collection() -> None:
    seen = FullCollections()
    assert seen.since_s(5.0) is None
    gc.disable()
    try:
        seen.look(10.0)
        seen.look(70.0)
        assert seen.since_s(100.0) == 90.0
        gc.collect()
        assert seen.since_s(130.0) == 0.0
        assert seen.since_s(140.0) == 10.0
    finally:
        gc.enable()
