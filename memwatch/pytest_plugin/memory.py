"""The fixture ``memory``: what calls of a function keep, and the most that one needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from memwatch.pytest_plugin import OFF, peaks
from memwatch.pytest_plugin.calls import Calls, Steps, run
from memwatch.pytest_plugin.findings import Kept
from memwatch.pytest_plugin.measurement import measured
from memwatch.pytest_plugin.noted import SKIPPED
from memwatch.pytest_plugin.plan import BUDGET_S, WARMUP, Plan
from memwatch.pytest_plugin.session import LeakError

if TYPE_CHECKING:
    import pytest

    from memwatch.pytest_plugin.session import Session

KEPT_CALLS = 16


class Memory:
    """One for each test. Every function may be a coroutine function: it is run in an event loop of its own."""

    def __init__(self, session: Session, item: pytest.Item) -> None:
        self._session = session
        self._item = item

    def assert_no_leak(
        self,
        call: Callable[[], Any],
        *,
        calls: int | None = None,
        warmup: int = WARMUP,
        budget: float | None = None,
    ) -> None:
        """Call it again and again, and fail where anything grows with every call.

        ``calls``: exactly so many are judged, at least 8; without it 120, and up to 7,680 while a leak is not sure.
        ``warmup``: calls before the first count. ``budget``: seconds, after which no call begins. Raises
        :class:`~memwatch.pytest_plugin.session.LeakError`, an :class:`AssertionError`, and :class:`ValueError` for
        numbers that are none.
        """
        __tracebackhide__ = True
        self._measure(_name(call), call, self._session.plan(calls=calls, warmup=warmup, budget=budget))

    def _measure(self, subject: str, call: Callable[[], Any], plan: Plan) -> None:
        __tracebackhide__ = True
        if self._session.mode == OFF:
            run(_once(), call, Calls(plan.budget_s, self._item))
            return
        made = Calls(plan.budget_s, self._item)
        self._session.settle(self._item, subject, run(measured(plan, made), call, made))

    def assert_urls(
        self,
        client: Any,
        pattern: str = "*",
        *,
        args: Mapping[str, Any] | None = None,
        calls: int | None = None,
        warmup: int = WARMUP,
        budget: float | None = None,
    ) -> tuple[str, ...]:
        """Get each named route of the Django site that matches ``pattern`` again and again; fail for those that leak.

        ``client``: Django's test client. ``args``: values of arguments by name, or functions that give one; by the
        name of a route a mapping for that route alone. A route with an argument that is not given is skipped, which
        the summary says. Returns the names of those that were measured. Raises
        :class:`~memwatch.pytest_plugin.session.LeakError`, and :class:`ValueError` where no route matches.
        """
        __tracebackhide__ = True
        from memwatch.pytest_plugin.sites import django_urls  # noqa: PLC0415 - only in a Django site

        subjects: dict[str, Callable[[], Any]] = {}
        for route in django_urls.routes(pattern):
            path, unknown = django_urls.path_of(route, args or {})
            if unknown:
                self._skip(f"{route.name} was not measured: give its arguments ({unknown}) in args")
            else:
                subjects[route.name] = partial(client.get, path)
        return self._measure_all(subjects, self._session.plan(calls=calls, warmup=warmup, budget=budget))

    def assert_tasks(
        self,
        app: Any,
        pattern: str = "*",
        *,
        args: Mapping[str, Any] | None = None,
        solo: bool = False,
        calls: int | None = None,
        warmup: int = WARMUP,
        budget: float | None = None,
    ) -> tuple[str, ...]:
        """Run each task of the Celery application that matches ``pattern`` in this process; fail for those that leak.

        ``args``: by a task's name its arguments, a sequence or a mapping. A task that needs others is skipped, which
        the summary says. ``solo``: run them in a worker, in a thread and over a broker in memory, and not eagerly in
        the test's own thread. Returns the names of those that were measured. What a task raises is raised. Raises
        :class:`~memwatch.pytest_plugin.session.LeakError`, and :class:`ValueError` where no task matches.
        """
        __tracebackhide__ = True
        from memwatch.pytest_plugin.sites import celery_tasks, celery_worker  # noqa: PLC0415 - only with Celery

        plan = self._session.plan(calls=calls, warmup=warmup, budget=budget)
        found = celery_tasks.tasks(app, pattern)
        with celery_worker.solo_worker(app) if solo else nullcontext() as worker:
            run_one = celery_tasks.run_here if worker is None else worker.run
            subjects: dict[str, Callable[[], Any]] = {}
            for name, task in found.items():
                given = celery_tasks.arguments_of(task, args or {})
                if given is None:
                    self._skip(f"{name} was not measured: give its arguments in args")
                else:
                    subjects[name] = partial(run_one, task, *given)
            return self._measure_all(subjects, plan)

    def _measure_all(self, subjects: Mapping[str, Callable[[], Any]], plan: Plan) -> tuple[str, ...]:
        """Each by itself; one failure says it of all."""
        __tracebackhide__ = True
        texts = []
        for name, call in subjects.items():
            try:
                self._measure(name, call, plan)
            except LeakError as leak:
                texts.append(str(leak))
        if texts:
            raise LeakError("\n".join(texts))
        return tuple(subjects)

    def _skip(self, why: str) -> None:
        self._item.user_properties.append((SKIPPED, f"{self._item.nodeid}: {why}"))

    def assert_peak(self, call: Callable[[], Any], *, max_mb: float, warmup: int = 1) -> float:
        """Call it once and fail where more than ``max_mb`` (1024 x 1024 bytes) were in use at a time.

        Returns the peak in MB above what was in use before the call, as tracemalloc counts it: what Python's
        allocators gave, and modules that report to them (numpy). ``warmup``: calls before, so that imports and caches
        are not counted.
        """
        __tracebackhide__ = True
        made = Calls(BUDGET_S, self._item)
        peak_mb = run(peaks.peak_mb(warmup), call, made)
        if peak_mb > max_mb:
            raise AssertionError(f"{_name(call)} needs {peak_mb:,.1f} MB at its peak, {max_mb:g} MB are allowed")
        return peak_mb

    def kept_by(self, call: Callable[[], Any], *, calls: int = KEPT_CALLS, warmup: int = WARMUP) -> Kept:
        """What each call keeps, on average over ``calls``, after ``warmup`` calls and full collections."""
        return run(peaks.kept(calls, warmup), call, Calls(BUDGET_S, self._item))


def _once() -> Steps[None]:
    yield 1


def _name(call: Callable[..., Any]) -> str:
    inner: Any = call
    while hasattr(inner, "func"):
        inner = inner.func
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))
