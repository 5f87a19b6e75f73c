"""When entries of containers expire: read, never asked, in the unit that the name says."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import types
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache

from memwatch.diagnosis.referrers.climb import Climb
from memwatch.diagnosis.referrers.graph import Graph
from memwatch.diagnosis.results import Lifetime
from memwatch.diagnosis.structure.lifetimes import LONGEST_S, lifetime_of

MakeClass = Callable[..., Any]
MINUTE = 60.0


def lifetime(container: Any) -> Lifetime | None:
    """Of a container that something refers to."""
    climbed = Graph("x")
    climb = Climb(climbed)
    climb.up([container], 3)
    return lifetime_of(id(container), climbed, climb.objects)


def of_owner(shop: types.ModuleType, owner: Any, entries: Any = None) -> Lifetime | None:
    """Of the container that is an attribute of an object of the module."""
    owner.data = {number: [number] for number in range(20)} if entries is None else entries
    shop.STORE = owner  # type: ignore[attr-defined]
    return lifetime(owner.data)


def read(found: Lifetime | None) -> tuple[float, str] | None:
    return None if found is None else (found.seconds, found.by)


@pytest.mark.parametrize("slots", [False, True])
def test_a_time_to_live_of_the_owner(slots: bool, shop: types.ModuleType, make_class: MakeClass) -> None:
    owner = make_class("Sessions", **({"__slots__": ("_ttl", "data")} if slots else {}))()
    owner._ttl = 900
    assert read(of_owner(shop, owner)) == (900.0, "ttl = 900 of shop_under_test.Sessions")


def test_a_time_to_live_of_the_owners_class_and_of_the_container_itself(
    shop: types.ModuleType, make_class: MakeClass
) -> None:
    owner = make_class("Sessions", MAX_AGE=timedelta(minutes=15))()
    assert read(of_owner(shop, owner)) == (900.0, "max_age = 0:15:00 of shop_under_test.Sessions")
    itself = make_class("Own", OrderedDict)({number: [number] for number in range(20)})
    itself.ttl = 2.5
    shop.STORE = itself  # type: ignore[attr-defined]
    assert read(lifetime(itself)) == (2.5, "ttl = 2.5 of shop_under_test.Own")


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("ttl", 60_000, 60_000.0), ("ttl_ms", 60_000, 60.0), ("timeout_seconds", 30, 30.0),
        ("max_age_days", 2, 172_800.0), ("__lifetime", 5, 5.0), ("session_cookie_age", 1_209_600, 1_209_600.0),
    ],
)  # fmt: skip
def test_a_number_is_in_seconds_unless_its_name_says_another_unit(
    name: str, value: int, seconds: float, shop: types.ModuleType, make_class: MakeClass
) -> None:
    owner = make_class("Sessions")()
    setattr(owner, name, value)
    found = of_owner(shop, owner)
    assert found is not None
    assert found.seconds == seconds


@pytest.mark.parametrize(
    "value",
    [True, "900", None, 0, -5, -0.0, float("inf"), float("nan"), 1e300, 10**400, LONGEST_S + 1, timedelta(-1),
     timedelta.max, [900]],
    ids=str,
)  # fmt: skip
def test_what_is_no_time_to_live_is_none(value: Any, shop: types.ModuleType, make_class: MakeClass) -> None:
    owner = make_class("Sessions")()
    owner.ttl = value
    assert of_owner(shop, owner) is None


def test_the_timeout_of_its_calls_is_no_time_to_live(shop: types.ModuleType, make_class: MakeClass) -> None:
    owner = make_class("Cache")()
    owner.timeout = 5
    assert read(of_owner(shop, owner)) == (5.0, "timeout = 5 of shop_under_test.Cache")
    owner.ttl = None
    assert of_owner(shop, owner) is None


def test_no_code_of_the_host_is_run(shop: types.ModuleType, make_class: MakeClass) -> None:
    asked: list[str] = []

    def spy(*_given: Any) -> Any:
        asked.append("spied")
        return 900

    number = make_class("Number", int, __float__=spy, __mul__=spy, __lt__=spy, __gt__=spy, __le__=spy)
    zone = make_class("Zone", tzinfo, utcoffset=spy, dst=spy, tzname=spy)()
    owner = make_class("Sessions", ttl=property(spy), __getattr__=spy, __eq__=spy, __hash__=spy, __bool__=spy)
    entry = make_class(
        "Session", expires_at=property(spy), __getattr__=spy, __eq__=spy, __bool__=spy, __hash__=object.__hash__
    )
    store = owner()
    vars(store)["max_age"], vars(store)["timeout"] = number(5), number(5)
    entries = [entry() for _ in range(20)]
    for each in entries:
        vars(each)["deadline"], vars(each)["until"] = number(5), datetime.now(UTC).replace(tzinfo=zone)
    asked.clear()
    vars(store)["data"] = dict(enumerate(entries))
    shop.STORE = store  # type: ignore[attr-defined]
    assert lifetime(vars(store)["data"]) is None
    assert asked == []


def test_no_metaclass_of_the_host_is_asked(shop: types.ModuleType, make_class: MakeClass) -> None:
    asked: list[object] = []

    class Meta(type):
        def __eq__(cls, other: object) -> bool:
            asked.append(other)
            return False

        __hash__ = type.__hash__

    value = Meta("Value", (), {})()
    owner, entry = make_class("Sessions")(), make_class("Session")
    owner.ttl = value
    entries = {number: entry() for number in range(20)}
    for each in entries.values():
        each.expires_at = each.ttl = value
    asked.clear()
    assert of_owner(shop, owner, entries) is None
    assert asked == []


CLOCKS: dict[str, Callable[[float], Any]] = {
    "epoch": lambda after: time.time() + after,
    "whole seconds": lambda after: int(time.time() + after) + 1,
    "monotonic": lambda after: time.monotonic() + after,
    "utc": lambda after: datetime.now(UTC) + timedelta(seconds=after),
    "another zone": lambda after: datetime.now(timezone(timedelta(hours=-7))) + timedelta(seconds=after),
    "local": lambda after: datetime.now() + timedelta(seconds=after),  # noqa: DTZ005 - as programs do
}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("shape", ["object", "slots", "dict"])
def test_entries_with_a_time_of_expiry(clock: str, shape: str, shop: types.ModuleType, make_class: MakeClass) -> None:
    of = make_class("Session", **({"__slots__": ("_expires_at",)} if shape == "slots" else {}))
    sessions: dict[int, Any] = {}
    for number in range(400):
        sessions[number] = {"user": number} if shape == "dict" else of()
        expires = CLOCKS[clock](10 * MINUTE * (number + 1) / 400)
        if shape == "dict":
            sessions[number]["expires_at"] = expires
        else:
            sessions[number]._expires_at = expires
    shop.SESSIONS = sessions  # type: ignore[attr-defined]
    found = lifetime(sessions)
    assert found is not None
    assert found.seconds == pytest.approx(10 * MINUTE, abs=30)
    assert found.by == ("expires_at of dict" if shape == "dict" else "expires_at of shop_under_test.Session")
    assert (found.entries, found.timed, found.overdue) == (400, 200, 0)


def test_times_in_milliseconds(shop: types.ModuleType) -> None:
    shop.STATES = deque({"expires_at_ms": (time.time() + MINUTE + number) * 1_000} for number in range(10))  # type: ignore[attr-defined]
    found = lifetime(shop.STATES)
    assert found is not None
    assert found.seconds == pytest.approx(MINUTE + 9, abs=30)
    shop.STATES = [{"expires_at": (time.time() + MINUTE + number) * 1_000} for number in range(10)]  # type: ignore[attr-defined]
    assert lifetime(shop.STATES) is None


def test_entries_that_are_never_removed_are_overdue(shop: types.ModuleType) -> None:
    now = time.time()
    shop.STATES = {number: {"expires": now + 10 * MINUTE - (200 - number) * 30} for number in range(1, 201)}  # type: ignore[attr-defined]
    found = lifetime(shop.STATES)
    assert found is not None
    assert found.seconds == pytest.approx(600, abs=30)
    assert found.overdue > found.timed / 2
    assert found.overdue_s == pytest.approx(199 * 30 - 600, abs=30)


FAR = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e300, 10**400, -1, "soon", None, True, FAR])
def test_what_is_no_time_of_expiry_is_none(value: Any, shop: types.ModuleType) -> None:
    shop.STATES = {number: {"expires_at": value} for number in range(20)}  # type: ignore[attr-defined]
    assert lifetime(shop.STATES) is None


def test_a_time_in_the_past_alone_says_nothing(shop: types.ModuleType) -> None:
    shop.ORDERS = {number: {"deadline": time.time() - number - 1} for number in range(20)}  # type: ignore[attr-defined]
    assert lifetime(shop.ORDERS) is None


def test_one_number_in_all_entries_is_a_time_to_live(shop: types.ModuleType, make_class: MakeClass) -> None:
    sessions = [make_class("Session")() for _ in range(20)]
    for each in sessions:
        each.expires = 900
    shop.SESSIONS = sessions  # type: ignore[attr-defined]
    assert read(lifetime(sessions)) == (900.0, "expires = 900 of shop_under_test.Session")


def test_a_class_of_entries_with_a_time_to_live_but_not_a_timeout(
    shop: types.ModuleType, make_class: MakeClass
) -> None:
    shop.SESSIONS = [make_class("Session", TTL=timedelta(hours=1))() for _ in range(20)]  # type: ignore[attr-defined]
    assert read(lifetime(shop.SESSIONS)) == (3_600.0, "ttl = 1:00:00 of shop_under_test.Session")
    shop.SESSIONS = [make_class("Client", timeout=30)() for _ in range(20)]  # type: ignore[attr-defined]
    assert lifetime(shop.SESSIONS) is None


# What sites have:


def test_djangos_cache_in_memory(shop: types.ModuleType) -> None:
    cache = LocMemCache("lifetimes", {"TIMEOUT": 120})
    try:
        for number in range(50):
            cache.set(str(number), number)
        shop.CACHE = cache  # type: ignore[attr-defined]
        found = lifetime(cache._cache)  # type: ignore[attr-defined]
        assert found is not None
        assert found.by == "expire_info of django.core.cache.backends.locmem.LocMemCache"
        assert found.seconds == pytest.approx(120, abs=30)
        assert found.timed == 50
    finally:
        cache.clear()  # it lives on in its module


def test_a_cache_with_links_that_expire_as_cachetools_has_it(shop: types.ModuleType, make_class: MakeClass) -> None:
    link = make_class("_Link", __slots__=("key", "expires"))
    cache = make_class("TTLCache")()
    cache._Cache__data, cache._TTLCache__links = {}, OrderedDict()
    cache.maxsize = float("inf")
    for number in range(50):
        cache._Cache__data[number] = [number]
        made = cache._TTLCache__links[number] = link()
        made.key, made.expires = number, time.monotonic() + 300 + number / 100
    shop.CACHE = cache  # type: ignore[attr-defined]
    found = lifetime(cache._Cache__data)
    assert found is not None
    assert (found.by, found.timed) == ("links of shop_under_test.TTLCache", 50)
    assert found.seconds == pytest.approx(300, abs=30)


def test_timers_of_asyncio_and_a_cache_that_removes_by_timers(shop: types.ModuleType, make_class: MakeClass) -> None:
    loop = asyncio.new_event_loop()
    try:
        cache = make_class("SimpleMemoryCache")()
        cache._cache, cache._handlers, cache.timeout = {}, {}, 5
        for number in range(50):
            cache._cache[number] = [number]
            cache._handlers[number] = loop.call_later(600 + number / 100, cache._cache.pop, number)
        shop.CACHE = cache  # type: ignore[attr-defined]
        found, waiting = lifetime(cache._cache), lifetime(loop._scheduled)  # type: ignore[attr-defined]
        assert found is not None
        assert waiting is not None
        assert found.by == "handlers of shop_under_test.SimpleMemoryCache"
        assert waiting.by == "until of asyncio.events.TimerHandle"
        assert found.seconds == pytest.approx(600, abs=30)
        assert waiting.seconds == pytest.approx(600, abs=30)
    finally:
        loop.close()


def test_a_limiter_with_a_window(shop: types.ModuleType, make_class: MakeClass) -> None:
    limiter = make_class("Limiter")()
    limiter.window_seconds = 60
    hits = {f"10.0.0.{number}": deque([time.time()]) for number in range(50)}
    assert read(of_owner(shop, limiter, hits)) == (60.0, "window_seconds = 60 of shop_under_test.Limiter")


def test_responses_that_a_cache_keeps_with_their_expiry(shop: types.ModuleType, make_class: MakeClass) -> None:
    response = dataclasses.make_dataclass("CachedResponse", [("expires", datetime)])
    cache = make_class("DictCache")()
    now = datetime.now(UTC)
    responses = {number: response(now + timedelta(seconds=360 + number / 10)) for number in range(50)}
    found = of_owner(shop, cache, responses)
    assert found is not None
    assert found.seconds == pytest.approx(365, abs=30)
