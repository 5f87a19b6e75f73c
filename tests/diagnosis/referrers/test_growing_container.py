"""Of untracked memory: the container that grows between two looks, among all that a copy of the process can see."""

from __future__ import annotations

import types
from collections.abc import Generator

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.options import ReferrersOptions
from memwatch.diagnosis.referrers.graph import shortened
from memwatch.diagnosis.referrers.growing_container import NONE_GREW
from memwatch.diagnosis.referrers.recording import ReferrersRecording
from memwatch.records import BigContainer
from tests.diagnosis.conftest import run_to_end


def test_untracked_memory_leads_to_the_container_that_grows_between_the_looks(shop: types.ModuleType) -> None:
    class Renderer:
        def __init__(self) -> None:
            self.keys = {f"key {number}": "page" for number in range(600)}

    shop.renderer = Renderer()  # type: ignore[attr-defined]
    shop.LONGER = [str(number) for number in range(9_000)]  # type: ignore[attr-defined]

    def go_on() -> Generator[float, None, None]:
        shop.renderer.keys.update((f"further key {number}", "page") for number in range(200))
        yield 0.0

    asked = ReferrersOptions(type="untracked")
    found = run_to_end(ReferrersRecording(asked, Host(), between=go_on).run(Meter()))
    assert found.holder is not None
    assert found.holder.name.startswith("shop_under_test.renderer (tests.diagnosis.referrers.")
    assert found.holder.name.endswith("Renderer) → attribute 'keys' (dict, 800 entries)")
    assert found.holder.grew == 200
    assert found.holder.sure
    assert found.instances == 800


def test_where_no_container_grows_none_is_named(shop: types.ModuleType) -> None:
    shop.CONSTANT = {f"code {number}": "name" for number in range(5_000)}  # type: ignore[attr-defined]
    kept: list[bytes] = []

    def go_on() -> Generator[float, None, None]:
        kept.append(bytes(1 << 20))
        yield 0.0

    found = run_to_end(ReferrersRecording(ReferrersOptions(type="untracked"), Host(), between=go_on).run(Meter()))
    assert found.holder is None
    assert found.candidates == ()
    assert found.notes == (NONE_GREW,)


def test_what_is_new_itself_has_not_grown(shop: types.ModuleType) -> None:
    shop.KEPT = [str(number) for number in range(600)]  # type: ignore[attr-defined]

    def go_on() -> Generator[float, None, None]:
        shop.KEPT.extend(map(str, range(1_000, 1_100)))
        shop.rows = [str(number) for number in range(5_000)]  # type: ignore[attr-defined]
        yield 0.0

    found = run_to_end(ReferrersRecording(ReferrersOptions(type="untracked"), Host(), between=go_on).run(Meter()))
    assert found.holder is not None
    assert found.holder.name.startswith("shop_under_test.KEPT")


def test_the_container_that_the_caller_means_is_looked_at_however_small(shop: types.ModuleType) -> None:
    shop.CACHE = {f"key {number}": "page" for number in range(100)}  # type: ignore[attr-defined]
    shop.LONGER = [str(number) for number in range(9_000)]  # type: ignore[attr-defined]
    meant = BigContainer(type="dict", length=100, token=id(shop.CACHE))

    def go_on() -> Generator[float, None, None]:
        shop.CACHE.update((f"further key {number}", "page") for number in range(30))
        shop.LONGER.extend(map(str, range(10_000, 11_000)))
        yield 0.0

    asked, host = ReferrersOptions(type="untracked"), Host(chosen=meant)
    found = run_to_end(ReferrersRecording(asked, host, between=go_on).run(Meter()))
    assert found.holder is not None
    assert found.holder.name.startswith("shop_under_test.CACHE")
    assert found.holder.grew == 30


def test_a_container_that_grows_by_less_than_the_memory_is_a_guess(shop: types.ModuleType) -> None:
    shop.SEEN = [str(number) for number in range(600)]  # type: ignore[attr-defined]
    kept: list[dict[str, int]] = []

    def go_on() -> Generator[float, None, None]:
        shop.SEEN.extend(map(str, range(1_000, 1_005)))
        kept.extend({f"{number}": number} for number in range(200))
        yield 0.0

    found = run_to_end(ReferrersRecording(ReferrersOptions(type="untracked"), Host(), between=go_on).run(Meter()))
    assert found.holder is not None
    assert found.holder.name.startswith("shop_under_test.SEEN")
    assert not found.holder.sure


def test_a_long_way_loses_its_middle_and_keeps_both_ends() -> None:
    way = [f"attribute 'part_{number}' (shop.Part)" for number in range(20)]
    text = shortened(way)
    assert len(text) <= 300
    assert text.startswith(f"{way[0]} → {way[1]}")
    assert text.endswith(f"{way[-2]} → {way[-1]}")
    assert text.count("…") == 1
    assert shortened(way[:3]) == " → ".join(way[:3])
