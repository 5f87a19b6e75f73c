"""The census: exact counts, and nothing of the host's runs."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from memwatch.sampling import census as module
from memwatch.sampling.census import Census, take_census
from memwatch.sampling.type_names import TypeNames
from tests.sampling.ways import BOTH, use


class Quote:
    """Counted."""


class HashingMeta(type):
    calls: list[str] = []  # noqa: RUF012

    def __hash__(cls) -> int:
        HashingMeta.calls.append("hash")
        return 7

    def __eq__(cls, other: object) -> bool:
        HashingMeta.calls.append("eq")
        return cls is other


@pytest.fixture(params=[*BOTH, "fallback, a metaclass with a hash", "fallback, python counting"], autouse=True)
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The ways in which objects are counted: all must give the same, and ask no metaclass."""
    use(request.param.partition(",")[0], monkeypatch)
    monkeypatch.setattr(module, "SLICE", 1_000)
    kept = HashingMeta("Hashing", (), {}) if "metaclass" in request.param else None
    if "python" in request.param:
        monkeypatch.setattr(module, "BuiltinFunctionType", type(None))
    HashingMeta.calls.clear()
    yield request.param
    assert HashingMeta.calls == []
    del kept


def census_of(names: TypeNames) -> Census:
    taken = take_census(names)
    assert taken is not None
    return taken


def test_counts_are_exact() -> None:
    names = TypeNames()
    kept = [Quote() for _ in range(1234)]
    gc.unfreeze()  # CPython 3.12 itself has frozen some tuples, which the walk counts and gc.get_objects() leaves out
    gc.collect()
    before = len(gc.get_objects())
    own = sum(str(type(item).__module__).startswith("memwatch.") for item in gc.get_objects())  # they are left out
    census = census_of(names)
    after = len(gc.get_objects())  # with the names of all types that it has met
    assert census.counts[f"{__name__}.Quote"] == 1234
    assert before - own - 30 < census.total < after + 100
    assert sum(census.counts.values()) == census.total
    assert census.counts["dict"] > 1000
    assert census.pause_ms > 0
    kept.clear()
    assert f"{__name__}.Quote" not in census_of(names).counts


def test_instances_of_a_hashing_metaclass_are_counted_without_asking_it() -> None:
    hashing = HashingMeta("Hashing", (), {})
    kept = [hashing() for _ in range(77)]
    HashingMeta.calls.clear()
    counts = census_of(TypeNames()).counts
    assert counts[f"{__name__}.Hashing"] == 77
    assert HashingMeta.calls == []
    assert len(kept) == 77


def test_a_hash_inherited_from_a_mixin_is_noticed() -> None:
    called = []

    class Mixin:
        def __hash__(self) -> int:
            called.append(1)
            return 1

    class Meta(Mixin, type):
        pass

    made = Meta("Made", (), {})
    kept = [made() for _ in range(10)]
    called.clear()
    assert census_of(TypeNames()).counts[type_key(made)] == 10
    assert called == []
    assert kept


def type_key(of: type) -> str:
    return TypeNames().of([of])[0]


def test_classes_of_the_same_name_are_summed() -> None:
    twins = [type("Twin", (), {"__module__": "app"}) for _ in range(3)]
    kept = [twin() for twin in twins for _ in range(5)]
    assert census_of(TypeNames()).counts["app.Twin"] == 15
    assert len(kept) == 15


def test_a_dead_class_lends_its_name_and_count_to_no_successor() -> None:
    names = TypeNames()
    for number in range(30):
        mortal = type(f"Mortal{number}", (), {"__module__": "app"})
        kept = [mortal() for _ in range(number + 1)]
        counts = census_of(names).counts
        assert {name: count for name, count in counts.items() if name.startswith("app.Mortal")} == {
            f"app.Mortal{number}": len(kept)
        }
        del mortal, kept
        gc.collect()


def test_hostile_objects_are_counted_and_never_asked() -> None:
    called: list[str] = []

    class Bad(dict[str, int]):
        def _no(self, *_arguments: object) -> Any:
            called.append("called")
            raise RuntimeError("host code called")

        __len__ = __sizeof__ = __repr__ = __hash__ = __iter__ = __eq__ = _no  # type: ignore[assignment]
        __class__ = property(_no)  # type: ignore[assignment]

    kept = [Bad() for _ in range(50)]
    called.clear()
    assert census_of(TypeNames()).counts[type_key(Bad)] == 50
    assert called == []
    assert sum(1 for _ in kept) == 50


def test_the_observers_own_objects_are_left_out() -> None:
    names = TypeNames()
    counts = census_of(names).counts
    assert not [name for name in counts if name.startswith("memwatch.sampling.")]


def test_an_idle_process_gives_the_same_census_again() -> None:
    names = TypeNames()
    gc.collect()
    for _ in range(3):
        census_of(names)
    gc.collect()
    first = census_of(names)
    total, counts = first.total, json.dumps(first.counts)  # a dict of ours would be an object more from 3.14 on
    del first  # with the containers that it has seen
    second = census_of(names)
    assert second.total == total
    assert second.counts == json.loads(counts)


def test_no_destructor_runs_in_the_counting_thread() -> None:
    wrong: list[int] = []
    main = threading.get_ident()

    class Dies:
        def __init__(self) -> None:
            self.me = [self.__class__]

        def __del__(self) -> None:
            if threading.get_ident() != main:
                wrong.append(1)

    def generate() -> Iterator[int]:
        try:
            yield 1
        finally:
            if threading.get_ident() != main:
                wrong.append(2)

    stop, taken = threading.Event(), [0]

    def count() -> None:
        names = TypeNames()
        while not stop.is_set():
            take_census(names, hurry=2)
            taken[0] += 1

    # Garbage in cycles falls to whichever thread allocates; what this test is about is the last reference.
    gc.disable()
    other = threading.Thread(target=count)
    other.start()
    try:
        pool: list[Any] = []
        while taken[0] < 60:
            pool.append(Dies())
            generator = generate()
            next(generator)
            pool.append(generator)
            if len(pool) > 2000:
                del pool[::2], generator
            elif len(pool) % 100 == 0:
                time.sleep(0.001)  # lets the counting thread have the interpreter before the switch interval is over
    finally:
        stop.set()
        other.join()
        gc.enable()
    assert wrong == []
