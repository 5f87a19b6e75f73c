"""Known causes: found by looking, told as warnings and on a page, each with its source."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import checks as django_checks
from django.test import Client
from django.urls import reverse
from django.views import View

from memwatch import checks
from memwatch.known_causes import site as known_causes
from tests.admin.conftest import EVIL, Fleet, fleet, login
from tests.services.recorded import store_recording

__all__ = ["fleet", "login"]


class Basket(View):
    """A view with a cache of the wrong kind, one bounded, and two of the right kind."""

    @lru_cache(maxsize=None)  # noqa: B019, UP033 - it is what is looked for
    def total(self) -> int:
        return 1

    @lru_cache(maxsize=8)  # noqa: B019
    def discount(self) -> int:
        return 2

    @cached_property
    def size(self) -> int:
        return 3

    @staticmethod
    @lru_cache
    def price(number: int) -> int:
        return number


def test_caches_on_methods_are_found_and_those_on_functions_are_not() -> None:
    found = {cause.where.rpartition(".")[2]: cause for cause in known_causes.cached_methods([Basket])}
    assert set(found) == {"total", "discount"}
    assert "for ever" in found["total"].what
    assert "up to 8 instances" in found["discount"].what
    assert found["total"].where in {message.obj for message in checks.check_code()}


def test_looking_at_classes_runs_nothing_of_them() -> None:
    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            if name not in ("__mro__", "__dict__", "__module__", "__qualname__"):
                raise AssertionError(f"asked for {name}")
            return super().__getattribute__(name)

    class Hostile(metaclass=Meta):
        @property
        def trap(self) -> int:
            raise AssertionError("called")

    assert list(known_causes.cached_methods([Hostile])) == []


@pytest.mark.parametrize(
    ("version", "known"),
    [("3.13.9", False), ("3.14.0", True), ("3.14.4", True), ("3.14.5", False), ("3.15.0a1", False), ("", False)],
)
def test_the_versions_with_the_incremental_collector_are_known(version: str, known: bool) -> None:
    assert bool(list(known_causes.interpreter(version))) is known


def test_settings_are_told_of_with_check_deploy_only() -> None:
    settings = SimpleNamespace(
        DEBUG=False, INSTALLED_APPS=["silk", "debug_toolbar.apps.X", "shop"], CELERY_WORKER_MAX_TASKS_PER_CHILD=50
    )
    assert [cause.key for cause in known_causes.of_the_settings(settings)] == ["W021", "W021", "W024"]
    settings.DEBUG = True
    assert [cause.key for cause in known_causes.of_the_settings(settings)] == ["W020", "W024"]
    assert known_causes.of_the_settings(SimpleNamespace(DEBUG=False, INSTALLED_APPS=["shop"])) == []


def test_all_of_them_are_warnings(settings: Any) -> None:
    settings.DEBUG = True
    found = django_checks.run_checks(tags=[checks.CAUSES], include_deployment_checks=True)
    assert {message.id for message in found} >= {"memwatch.W020", "memwatch.W022"}
    assert {message.level for message in found} == {django_checks.WARNING}
    assert all("https://" in str(message.hint) for message in found)


@pytest.mark.parametrize(
    ("line", "hides"),
    [
        ("gunicorn --max-requests 500 site", True),
        ("gunicorn --max-requests=500 site", True),
        ("gunicorn --max-requests 0 site", False),
        ("uvicorn --limit-max-requests 100", True),
        ("celery -A site worker --max-tasks-per-child=10", True),
        ("gunicorn --max-requests-jitter 5", False),
    ],
)
def test_what_replaces_workers_hides_leaks(line: str, hides: bool) -> None:
    assert bool(list(known_causes.recycling("web", line))) is hides


def test_the_page_tells_what_the_processes_show(fleet: Fleet, login: Callable[..., Client]) -> None:
    process = fleet.process(
        python="3.14.2", program="gunicorn worker", command_line="gunicorn --preload --max-requests 9"
    )
    for count in (12, 240):
        store_recording(
            process, "heap_summary",
            result={"suspects": [{"name": f"receivers of signal {EVIL}", "count": count}, {"name": 3}]},
        )  # fmt: skip
    store_recording(process, "heap_summary", result={"suspects": "none"})
    client = login("viewer")
    url = reverse("admin:memwatch_known_causes")
    shown = client.get(url).content.decode()
    for text in ("CPython 3.14.2", "cpython/issues/148726", "--max-requests 9", "gc.freeze()"):
        assert text in shown
    assert "<script>alert" not in shown
    assert url in client.get(reverse("admin:memwatch_recording_changelist")).content.decode()
    assert client.post(url).status_code == 405
    assert login("staff").get(url).status_code == 403


def test_receivers_that_grow_between_two_summaries_are_told() -> None:
    grows = [[("receivers of signal shop.order_placed", 12)], [("receivers of signal shop.order_placed", 240)]]
    (cause,) = known_causes.growing_suspects("web-1", grows)
    assert "from 12 to 240" in cause.what
    caches = [[("entries of the lru_cache of shop.discount", count)] for count in (128, 3_000)]
    assert [cause.where for cause in known_causes.growing_suspects("web-1", caches)] == ["web-1"]
    assert list(known_causes.growing_suspects("web-1", [caches[0], [(caches[0][0][0], 400)]])) == []
    assert list(known_causes.growing_suspects("web-1", grows[:1])) == []
    assert list(known_causes.growing_suspects("web-1", grows[::-1])) == []
