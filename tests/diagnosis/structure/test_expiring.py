"""Which growth comes and goes with entries that expire: seen in two looks at the heap."""

from __future__ import annotations

import time
import types
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.referrers import looks
from memwatch.diagnosis.results import Lifetime
from memwatch.diagnosis.structure.circumstances import Memory, due
from memwatch.diagnosis.structure.evidence import finding
from memwatch.diagnosis.structure.expected_time import expected_s
from tests.diagnosis.conftest import referrers

MakeClass = Callable[..., Any]
SESSION = "shop_under_test.Session"
ROOM = 960.0
"""For ten minutes."""


def looked_at_twice(monkeypatch: pytest.MonkeyPatch, between: Callable[[], object]) -> dict[str, Any]:
    second = looks.second_of_two

    def later(*given: Any) -> Any:
        between()
        return second(*given)

    monkeypatch.setattr(looks, "second_of_two", later)
    return referrers(SESSION, host=Host(apart_s=0.1))


def test_sessions_of_a_store_with_a_time_to_live(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_class("Session")
    store = shop.STORE = make_class("Store", ttl=600)()  # type: ignore[attr-defined]
    store.data = {number: session() for number in range(40)}
    found = looked_at_twice(monkeypatch, lambda: store.data.update((number, session()) for number in range(40, 70)))
    assert found["holder"]["lifetime"]["explains"] is True
    assert found["holder"]["lifetime"]["when_due_kb"] > found["holder"]["retained_kb"]
    assert found["expiring"] == {"holds": 30, "seconds": 600.0, "timed": False}
    assert "ttl = 600 of shop_under_test.Store" in finding(found, found["holder"])


def test_two_stores_whose_sessions_expire_explain_it_together(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_class("Session")

    def login(after: float) -> Any:
        made = session()
        made.until = time.monotonic() + after
        return made

    shop.LOGINS = {number: login(300) for number in range(40)}  # type: ignore[attr-defined]
    shop.TOKENS = deque(login(600) for _ in range(40))  # type: ignore[attr-defined]

    def more() -> None:
        shop.LOGINS.update((number, login(300)) for number in range(40, 60))
        shop.TOKENS.extend(login(600) for _ in range(20))

    found = looked_at_twice(monkeypatch, more)
    assert (found["expiring"]["holds"], found["expiring"]["timed"]) == (40, True)
    assert found["expiring"]["seconds"] == pytest.approx(600, abs=30)
    for each in found["candidates"]:
        assert each["lifetime"]["explains"], each
        each["lifetime"]["fits"] = None  # by the machine, and by how close the two looks are
    assert expected_s(found, 60.0) == pytest.approx(ROOM, abs=45)


def test_entries_that_outlive_their_time_explain_nothing(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_class("Session")

    def login(after: float) -> Any:
        made = session()
        made.expires_at = time.time() + after
        return made

    shop.LOGINS = {number: login(60 - 3 * (400 - number)) for number in range(400)}  # type: ignore[attr-defined]
    found = looked_at_twice(monkeypatch, lambda: shop.LOGINS.update((number, login(60)) for number in range(400, 430)))
    assert found["expiring"]["timed"] is False
    assert expected_s(found, 60.0) == 0.0
    assert finding(found, found["holder"]).startswith("Its entries are said to expire after")


def test_a_list_beside_the_store_has_no_bound_in_time(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in an entry of the store, or an attribute of somebody who is not the owner."""
    session = make_class("Session")
    store = shop.STORE = make_class("Store", ttl=600)()  # type: ignore[attr-defined]
    rows = [session() for _ in range(40)]
    store.data = {"one": rows, "two": []}
    found = looked_at_twice(monkeypatch, lambda: rows.extend(session() for _ in range(30)))
    assert (found["holder"]["length"], found["holder"]["lifetime"], found["expiring"]) == (70, None, None)
    shop.KEPT, store.data = rows, {}  # type: ignore[attr-defined]
    assert referrers(SESSION)["expiring"] is None


def test_a_leak_beside_sessions_that_expire_is_not_explained_by_these(
    shop: types.ModuleType, make_class: MakeClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_class("Session")
    store = shop.STORE = make_class("Store", ttl=600)()  # type: ignore[attr-defined]
    store.data, kept = {number: session() for number in range(40)}, [session() for _ in range(40)]
    shop.KEPT = kept  # type: ignore[attr-defined]

    def more() -> None:
        store.data.update((number, session()) for number in range(40, 60))
        kept.extend(session() for _ in range(20))

    assert expected_s(looked_at_twice(monkeypatch, more), 60.0) == 0.0


def test_more_than_a_few_objects_in_each_entry_are_not_explained(shop: types.ModuleType, make_class: MakeClass) -> None:
    session = make_class("Session")
    store = shop.STORE = make_class("Store", ttl=600)()  # type: ignore[attr-defined]
    store.data = {number: tuple(session() for _ in range(11)) for number in range(20)}
    assert referrers(SESSION)["expiring"] is None


def test_what_it_takes_when_the_first_entries_expire_must_fit() -> None:
    lifetime = Lifetime(seconds=600.0, by="ttl", entries=100)
    assert due(lifetime, 10 * 1024.0, None, Memory(100.0, None)) == lifetime
    for memory, fits in ((Memory(100.0, 49.0), False), (Memory(10.0, 51.0), True), (Memory(40.0, None), False)):
        found = due(lifetime, 10 * 1024.0, 1.0, memory)
        assert (found.when_due_kb, found.fits) == (60 * 1024.0, fits), memory
    assert due(lifetime, 10 * 1024.0, 0.0, Memory(1.0, 0.0)).when_due_kb == 10 * 1024.0
