"""The pages and tasks of a site, measured in a run of pytest of its own."""

from __future__ import annotations

from textwrap import dedent

import pytest

pytestmark = pytest.mark.deployment

pytest_plugins = ["pytester"]

SITE = """
    import sys, types
    import django, pytest
    from django.conf import settings

    KEPT = []

    class Visit:
        pass

    settings.configure(ROOT_URLCONF="urls_of_shop", ALLOWED_HOSTS=["testserver"], SECRET_KEY="x", USE_TZ=True)
    django.setup()
    from django.http import HttpResponse
    from django.urls import include, path, re_path

    def fine(request, **kwargs):
        return HttpResponse("fine")

    def leaky(request, pk, tenant):
        KEPT.append(Visit())
        return HttpResponse(f"{pk}")

    shop = ([
        path("", fine, name="list"),
        path("<int:pk>/", leaky, name="detail"),
        re_path(r"^search/(?P<word>[a-z]+)/$", fine, name="search"),
        path("unnamed/", fine),
    ], "shop")
    urls = types.ModuleType("urls_of_shop")
    urls.urlpatterns = [path("shop/<slug:tenant>/", include(shop)), path("health/", fine, name="health")]
    sys.modules["urls_of_shop"] = urls
    from django.test import Client
"""
TASKS = """
    import celery, pytest

    KEPT = []

    class Row:
        pass

    app = celery.Celery("shop", set_as_current=False)

    @app.task(name="shop.fine")
    def fine():
        return 1

    @app.task(name="shop.leaky")
    def leaky(count):
        KEPT.extend(Row() for _ in range(count))

    @app.task(name="shop.fails")
    def fails():
        raise LookupError("no price")
"""


def run(pytester: pytest.Pytester, site: str, tests: str) -> pytest.RunResult:
    pytester.makepyfile(test_site=dedent(site) + dedent(tests))
    return pytester.runpytest_subprocess("-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider")


def test_named_routes_are_walked_with_given_arguments(pytester: pytest.Pytester) -> None:
    tests = """
    def test_fine(memory):
        measured = memory.assert_urls(Client(), "*", args={"tenant": "north", "shop:search": {"word": lambda: "abc"}})
        assert measured == ("shop:list", "shop:search", "health")

    def test_leaky(memory):
        with pytest.raises(AssertionError, match=r"shop:detail leaks test_site.Visit: 1 object per call"):
            memory.assert_urls(Client(), "shop:d*", args={"tenant": "north", "pk": 7})

    def test_no_route(memory):
        with pytest.raises(ValueError, match="no named route matches 'shop:x'"):
            memory.assert_urls(Client(), "shop:x")
    """
    result = run(pytester, SITE, tests)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*test_fine: shop:detail was not measured: give its arguments (pk) in args"])


def test_tasks_run_in_the_tests_process(pytester: pytest.Pytester) -> None:
    tests = """
    def test_fine(memory):
        assert memory.assert_tasks(app, "shop.[fl]*y", args={}) == ()
        assert memory.assert_tasks(app, "shop.fine") == ("shop.fine",)

    def test_leaky(memory):
        with pytest.raises(AssertionError, match="shop.leaky leaks test_site.Row: 2 objects per call"):
            memory.assert_tasks(app, "shop.leaky", args={"shop.leaky": {"count": 2}})

    def test_a_task_that_fails(memory):
        with pytest.raises(LookupError, match="no price"):
            memory.assert_tasks(app, "shop.fails")

    def test_no_task(memory):
        with pytest.raises(ValueError, match="no task matches"):
            memory.assert_tasks(app, "celery.*")
    """
    result = run(pytester, TASKS, tests)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*test_fine: shop.leaky was not measured: give its arguments in args"])


def test_tasks_run_in_a_solo_worker(pytester: pytest.Pytester) -> None:
    """Signals of tasks are sent there, which is where the program keeps something; and the application is as before."""
    tests = """
    import threading

    from celery.signals import task_received

    THREADS, RECEIVED = set(), []
    app.conf.update(broker_url="redis://nowhere.invalid:1/0", result_backend="redis://nowhere.invalid:1/1")
    app.conf.task_always_eager = True

    @app.task(name="shop.counted")
    def counted(name, times=1):
        THREADS.add(threading.current_thread().name)
        return [name] * times

    @task_received.connect
    def receive(request, **_more):
        if request.name == "shop.counted" and request.kwargsrepr != "{}":
            RECEIVED.append(Row())

    def test_fine(memory):
        given = {"shop.counted": ["a"]}
        assert memory.assert_tasks(app, "shop.counted", args=given, solo=True) == ("shop.counted",)
        assert threading.main_thread().name not in THREADS

    def test_what_the_worker_keeps(memory):
        given = {"shop.counted": {"name": "a", "times": 2}}
        with pytest.raises(AssertionError, match="shop.counted leaks test_site.Row: 1 object per call"):
            memory.assert_tasks(app, "shop.counted", args=given, solo=True)

    def test_what_a_task_keeps(memory):
        with pytest.raises(AssertionError, match="shop.leaky leaks test_site.Row: 2 objects per call"):
            memory.assert_tasks(app, "shop.leaky", args={"shop.leaky": {"count": 2}}, solo=True)

    def test_a_task_that_fails(memory):
        with pytest.raises(LookupError, match="no price"):
            memory.assert_tasks(app, "shop.fails", solo=True)

    def test_after():
        assert app.conf.broker_url == "redis://nowhere.invalid:1/0" and app.conf.task_always_eager
        assert "redis" in app.connection_for_write().as_uri()
    """
    run(pytester, TASKS, tests).assert_outcomes(passed=5)
