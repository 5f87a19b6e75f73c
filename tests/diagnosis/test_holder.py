"""The right holder: of what came between two looks, the container that grew by it, with its place in the code."""

from __future__ import annotations

import importlib
import itertools
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import memwatch.diagnosis.own_code
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.copy.parent import in_child
from memwatch.diagnosis.own_code import adds, is_own
from memwatch.diagnosis.referrers import looks, recording
from tests.diagnosis.conftest import referrers

SOURCE = """\
import collections
import functools
import weakref


class Request:
    def __init__(self, number):
        self.number = number
        self.user = Lazy(lambda: self)


class Lazy:
    def __init__(self, function):
        self.function = function


class AuditTrail:
    seen = []

    def __init__(self):
        self.trail = []
        self.by_user = {}
        self.latest = collections.deque()

    def __call__(self, request):
        self.trail.append(request)

    def class_attribute(self, request):
        self.seen.append(request)

    def deque(self, request):
        self.latest.append(request)

    def lists(self, request):
        self.by_user.setdefault(request.number % 3, []).append(request)

    def lazy(self, request):
        self.trail.append(request.user)

    @functools.lru_cache(maxsize=None)
    def cached(self, request):
        return len(self.trail)


REGISTRY = {}
WEAK = weakref.WeakKeyDictionary()


def closure(request):
    def later():
        return request

    REGISTRY[request.number] = later


def collect():
    kept = []
    while True:
        request = yield
        kept.append(request)


generator = collect()
next(generator)
AUDIT = AuditTrail()
CONSTANT = tuple(Request(number) for number in range(400))


def weak(request):
    WEAK[request] = request.user
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A module of a site: two thirds of its requests are older than any leak, and held by a constant."""
    (tmp_path / "shopaudit").mkdir()
    (tmp_path / "shopaudit" / "__init__.py").touch()
    (tmp_path / "shopaudit" / "middleware.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("shopaudit.middleware")
    for name in ("shopaudit.middleware", "shopaudit"):
        del sys.modules[name]


class Traffic:
    """Requests handled by another thread until it is left."""

    def __init__(self, handle: Any, request: Any) -> None:
        self.handled = 0
        self._handle, self._request = handle, request
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._end.wait(0.001):  # on a busy machine too, there are many of them between two looks
            self._handle(self._request(1_000 + self.handled))
            self.handled += 1

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()


def recorded(site: Any, handle: Any) -> dict[str, Any]:
    for number in range(200):
        handle(site.Request(number))
    with Traffic(handle, site.Request) as traffic:
        host = Host(apart_s=0.4, requests_handled=lambda: traffic.handled)
        return referrers("shopaudit.middleware.Request", host=host)


def test_much_growth_in_a_short_time_is_enough(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "EARLY", 0.001)
    monkeypatch.setattr(recording, "LIGHT_S", 1e9)
    for number in range(200):
        site.AUDIT(site.Request(number))
    with Traffic(site.AUDIT, site.Request) as traffic:
        host = Host(apart_s=600.0, requests_handled=lambda: traffic.handled)  # longer than a test may take
        holder = referrers("shopaudit.middleware.Request", host=host)["holder"]
    assert (holder["attribute"], holder["sure"]) == ("AuditTrail.trail", True)
    assert holder["grew"] >= recording.ENOUGH_NEW


def test_little_growth_is_waited_for(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "EARLY", 0.001)
    monkeypatch.setattr(recording, "LIGHT_S", 1e9)
    site.AUDIT.trail += map(site.Request, range(200))
    copies: list[object] = []

    def counted(*given: Any) -> Any:
        copies.append(given)
        return in_child(*given)

    def grown(*given: Any) -> Any:
        site.AUDIT.trail += map(site.Request, range(1_000, 1_010))
        return second(*given)

    second = looks.second_of_two
    monkeypatch.setattr(recording, "in_child", counted)
    monkeypatch.setattr(looks, "second_of_two", grown)
    handled = itertools.count(step=recording.ENOUGH_CALLS)
    host = Host(apart_s=0.2, requests_handled=lambda: next(handled))
    holder = referrers("shopaudit.middleware.Request", host=host)["holder"]
    assert (holder["attribute"], holder["grew"], holder["sure"]) == ("AuditTrail.trail", 10, True)
    assert len(copies) == 3  # the first look, one in vain, and the second


@pytest.mark.parametrize(
    ("leak", "attribute", "line"),
    [
        ("AUDIT", "AuditTrail.trail", "self.trail.append(request)"),
        ("AUDIT.class_attribute", "AuditTrail.seen", "self.seen.append(request)"),
        ("AUDIT.deque", "AuditTrail.latest", "self.latest.append(request)"),
        ("AUDIT.lazy", "AuditTrail.trail", "self.trail.append(request)"),
        ("closure", "shopaudit.middleware.REGISTRY", "REGISTRY[request.number] = later"),
        ("generator.send", "'kept' of collect", "kept.append(request)"),
        ("weak", "shopaudit.middleware.WEAK", "WEAK[request] = request.user"),
    ],
)
def test_the_container_that_grows_is_named_with_its_line(site: Any, leak: str, attribute: str, line: str) -> None:
    handle = site
    for name in leak.split("."):
        handle = getattr(handle, name)
    result = recorded(site, handle)
    holder = result["holder"]
    assert (holder["attribute"], holder["code_line"]) == (attribute, line)
    number = SOURCE.splitlines().index(next(each for each in SOURCE.splitlines() if each.strip() == line)) + 1
    assert holder["code"] == f"shopaudit/middleware.py:{number}"
    assert holder["own_code"]
    assert holder["sure"]
    assert holder["holds"] >= 0.9 * holder["of"] > 0
    assert holder["grows_per_call"] == pytest.approx(1, abs=0.2)
    assert holder["call"] == "request"
    assert "CONSTANT" not in str(result["chains"])


def test_the_method_whose_cache_grows_is_named(site: Any) -> None:
    holder = recorded(site, site.AUDIT.cached)["holder"]
    assert "lru_cache of shopaudit.middleware.AuditTrail.cached" in holder["name"]
    assert holder["attribute"] == "shopaudit.middleware.AuditTrail.cached"
    assert holder["code"].startswith("shopaudit/middleware.py:")
    assert holder["sure"]


def test_a_dict_of_lists_is_named_though_its_own_length_stays(site: Any) -> None:
    result = recorded(site, site.AUDIT.lists)
    assert result["holder"]["attribute"] == "AuditTrail.by_user"
    assert result["holder"]["code_line"] == "self.by_user.setdefault(request.number % 3, []).append(request)"
    assert result["holder"]["name"].endswith("attribute 'by_user' (dict, 3 entries)")
    assert result["holder"]["sure"]
    assert result["holder"]["grows_per_call"] == pytest.approx(1, abs=0.2), "by the lists that it holds"


def test_an_installed_site_is_the_programs_own_code_and_other_packages_are_not() -> None:
    folder = "/venv/lib/python3.12/site-packages"
    assert is_own(f"{folder}/pretix/base/middleware.py", "pretix")
    assert not is_own(f"{folder}/django/dispatch/dispatcher.py", "pretix")
    assert not is_own(f"{folder}/pretix/base/middleware.py", "")
    assert is_own("/srv/shopaudit/middleware.py", "")
    assert not is_own(memwatch.diagnosis.own_code.__file__, "memwatch"), "a tree of memwatch is not the program's"


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("TRAIL", "TRAIL.append(entry)", True),
        ("by_user", "self.by_user.setdefault(user, []).append(request)", True),
        ("pages", "pages[path] = text", True),
        ("logger", 'logger.exception("sampling fails")', False),
        ("", "anything.append(entry)", False),
    ],
)
def test_a_line_adds_to_a_container_or_only_names_it(name: str, line: str, expected: bool) -> None:
    assert adds(name, line) is expected


def test_what_only_passes_through_has_no_sure_holder(site: Any) -> None:
    result = recorded(site, lambda request: None)
    assert not any(each["sure"] for each in result["candidates"])
