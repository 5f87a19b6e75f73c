"""Big built-in containers."""

from __future__ import annotations

import gc
import sys
import types
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from memwatch.records import BigContainer
from memwatch.sampling import container_scan as module
from memwatch.sampling import container_tracker as containers_module
from memwatch.sampling.container_scan import Look, look
from memwatch.sampling.container_tracker import MAX_CONTAINERS, BigContainers
from memwatch.sampling.type_names import TypeNames
from memwatch.sampling.walk import walk_heap
from tests.references import references
from tests.sampling.ways import BOTH, use


@pytest.fixture(autouse=True)
def _all_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests has bigger containers than these: what other tests have left counts for nothing."""
    monkeypatch.setattr(containers_module, "MAX_CONTAINERS", 100_000)


@pytest.fixture
def leaks() -> Iterator[types.ModuleType]:
    made = types.ModuleType("shop_of_this_test.leaks")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


@pytest.fixture(params=BOTH, autouse=True)
def seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to find containers must find the same."""
    use(request.param, monkeypatch)
    if request.param == "walk":
        monkeypatch.setattr(f"{__name__}.find", lambda: walk_heap(last_cpu_ms=0, hurry=1).seen)


def find() -> Look:
    return look(total=len(gc.get_objects()))


def observe(containers: BigContainers | None = None) -> tuple[BigContainer, ...]:
    watch = containers or BigContainers(TypeNames())
    return watch.observe(find(), blocks=0, own=())


def named(found: tuple[BigContainer, ...], name: str) -> BigContainer:
    return next(container for container in found if container.name == f"shop_of_this_test.leaks.{name}")


def test_a_list_of_texts_is_found_with_what_it_holds_and_where_it_lives(leaks: Any) -> None:
    leaks.FRAGMENTS = [f"<p>{number:0100d}</p>" for number in range(5000)]
    found = named(observe(), "FRAGMENTS")
    assert (found.type, found.length, found.holds) == ("list", 5000, "str")
    assert found.token == id(leaks.FRAGMENTS)
    assert found.entry_bytes == sys.getsizeof(leaks.FRAGMENTS[0])


def test_every_kind_is_found_also_what_the_collector_does_not_track(leaks: Any) -> None:
    leaks.TEXTS = {str(number): str(number) for number in range(2000)}
    leaks.ROWS = {number: [number] for number in range(2100)}
    leaks.IDS = {str(number) for number in range(2200)}
    leaks.QUEUE = deque(map(float, range(2300)))
    leaks.RAW = bytearray(2400)
    leaks.FIXED = tuple([number] for number in range(2500))
    assert gc.is_tracked(leaks.TEXTS) == (sys.version_info >= (3, 14))
    found = observe()
    shapes = {name: (c.type, c.length, c.holds) for name in vars(leaks) if name.isupper() and (c := named(found, name))}
    assert shapes == {
        "TEXTS": ("dict", 2000, "str"),
        "ROWS": ("dict", 2100, "list"),
        "IDS": ("set", 2200, "str"),
        "QUEUE": ("deque", 2300, "float"),
        "RAW": ("bytearray", 2400, "int"),
        "FIXED": ("tuple", 2500, "list"),
    }


def test_a_container_of_the_hosts_own_class_is_not_asked_for_its_length(leaks: Any) -> None:
    class Mine(list[int]):
        def __len__(self) -> int:
            raise RuntimeError("host code called")

        __iter__ = __len__  # type: ignore[assignment]

    leaks.MINE = Mine(range(2000))
    leaks.HOLDER = [Mine() for _ in range(1500)]
    found = observe()
    assert [c for c in found if c.token == id(leaks.MINE)] == []
    assert named(found, "HOLDER").holds is not None
    assert named(found, "HOLDER").holds.endswith("Mine")  # type: ignore[union-attr]
    assert named(found, "HOLDER").entry_bytes is None


def test_the_fastest_growing_comes_first_and_the_list_is_bounded(leaks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers_module, "MAX_CONTAINERS", MAX_CONTAINERS)
    leaks.GROWING = [str(number) for number in range(1000)]
    leaks.OTHERS = [[str(number)] * (3000 + number) for number in range(30)]
    watch = BigContainers(TypeNames())
    observe(watch)
    leaks.GROWING.extend(str(number) for number in range(700))
    found = observe(watch)
    assert found[0].name == "shop_of_this_test.leaks.GROWING"
    assert len(found) == MAX_CONTAINERS
    watch.reset_baseline()
    observe(watch)
    leaks.OTHERS[7].extend("x" * 500)
    assert observe(watch)[0].token == id(leaks.OTHERS[7])


def test_a_new_container_at_an_old_address_has_not_grown() -> None:
    watch = BigContainers(TypeNames())
    keep = [str(number) for number in range(50_000)]
    observe(watch)
    keep.clear()
    keep.extend(str(number) for number in range(2000))
    found = {container.token: container for container in observe(watch)}
    assert found[id(keep)].length == 2000
    assert watch._first[id(keep)] == (list, 2000)


def test_a_look_leaves_nothing_behind() -> None:
    class Host:
        pass

    kept = [Host() for _ in range(3000)]
    look(total=20_000)
    gc.collect()
    gc.disable()
    try:
        before = (len(gc.get_objects()), references([kept[0]]), references([kept]))
        for _ in range(3):
            look(total=20_000)
        after = (len(gc.get_objects()), references([kept[0]]), references([kept]))
    finally:
        gc.enable()
    assert after[1:] == before[1:]
    assert abs(after[0] - before[0]) < 20


def test_a_module_without_a_namespace_does_no_harm(leaks: Any) -> None:
    sys.modules["shop_of_this_test.empty"] = types.ModuleType.__new__(types.ModuleType)
    try:
        leaks.LIST = [str(number) for number in range(1500)]
        assert named(observe(), "LIST").length == 1500
    finally:
        del sys.modules["shop_of_this_test.empty"]


def test_it_looks_when_memory_has_grown_and_else_now_and_then() -> None:
    watch = BigContainers(TypeNames())
    assert watch.due(1000)
    watch.observe(find(), blocks=1000, own=())
    assert [watch.due(1000) for _ in range(5)] == [False, False, False, False, True]
    watch.observe(find(), blocks=1000, own=())
    assert [watch.due(2000) for _ in range(3)] == [False, False, True]


def test_mean_sizes_of_builtin_types_are_sampled() -> None:
    watch = BigContainers(TypeNames())
    kept = [[1, 2, 3] for _ in range(20_000)]
    observe(watch)
    assert watch.type_sizes["list"] >= 56
    assert not [name for name in watch.type_sizes if "." in name and not name.startswith("collections.")]
    assert kept


def test_what_the_look_itself_gathers_is_none_of_what_it_finds() -> None:
    seen = look(total=len(gc.get_objects()))
    assert len(seen.sampled_types) >= module.BIG
    assert all(found.length >= module.BIG for found in seen.containers)
    assert not {id(seen.sampled_types), id(seen.sampled_sizes)} & {found.token for found in seen.containers}


def test_a_container_of_a_few_hundred_is_told_when_it_has_grown(leaks: Any) -> None:
    leaks.PAGES = ["<p>" * 2000 for _ in range(300)]
    leaks.CODES = [f"code {number}" for number in range(300)]
    watch = BigContainers(TypeNames())
    first = {container.name for container in observe(watch)}
    leaks.PAGES.extend("<p>" * 2000 for _ in range(50))
    second = {container.name for container in observe(watch)}
    assert "shop_of_this_test.leaks.PAGES" in second - first
    assert "shop_of_this_test.leaks.CODES" not in first | second
