"""Causes of growing memory that can be seen without looking at it: in settings, classes, versions, command lines.

Functions of what they are given; each cause names its source.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from django.apps import apps
from django.utils.translation import gettext as _
from django.views import View

from memwatch.known_causes.releases import PYTHON, Match, matching
from memwatch.records.distributions import Distribution

_LRU_CACHE = type(functools.lru_cache(lambda: None))
_RECYCLES = re.compile(
    r"(--max-requests|--limit-max-requests|--max-tasks-per-child|--maxtasksperchild)[= ]\s*([1-9]\d*)"
)
_TOOLBARS = ("debug_toolbar", "silk")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Something that is known to make memory grow, or to hide that it does."""

    key: str
    """Stable, for the id of the check."""
    where: str
    what: str
    """What is the case, and why memory grows of it."""
    remedy: str
    source: str
    """URL."""


def of_the_code() -> list[Cause]:
    """Known causes among the loaded models and views."""
    return list(cached_methods([*apps.get_models(), *_derived(View)]))


def of_the_settings(settings: Any) -> list[Cause]:
    """Known causes in a site's settings."""
    tasks = getattr(settings, "CELERY_WORKER_MAX_TASKS_PER_CHILD", None)
    return [
        *debug(settings.DEBUG),
        *toolbars(settings.INSTALLED_APPS, debug=settings.DEBUG),
        *recycling("CELERY_WORKER_MAX_TASKS_PER_CHILD", tasks=tasks),
    ]


def debug(value: object) -> Iterator[Cause]:
    """Known causes in the setting ``DEBUG``."""
    if value:
        yield Cause(
            key="W020",
            where="DEBUG",
            what=_("DEBUG is on: each database connection of a process keeps its last 9,000 queries."),
            remedy=_("Set DEBUG to False for processes that run long."),
            source="https://docs.djangoproject.com/en/5.2/faq/models/#why-is-django-leaking-memory",
        )


def toolbars(installed_apps: Iterable[str], *, debug: object) -> Iterator[Cause]:
    """Known causes in the setting ``INSTALLED_APPS``; it says where DEBUG is on."""
    for name in installed_apps:
        package = name.partition(".")[0]
        if package in _TOOLBARS and not debug:
            yield Cause(
                key="W021",
                where=f'INSTALLED_APPS: "{name}"',
                what=_("%s keeps what it has seen of requests: queries, templates, stack traces.") % package,
                remedy=_("Install it in development only, or limit what it keeps."),
                source={
                    "debug_toolbar": "https://django-debug-toolbar.readthedocs.io/en/latest/configuration.html",
                    "silk": "https://github.com/jazzband/django-silk#limiting-requestresponse-data",
                }[package],
            )


def cached_methods(classes: Iterable[type]) -> Iterator[Cause]:
    """``lru_cache`` on methods: the cache holds every ``self`` it was called with. Looks, and calls nothing."""
    seen: set[int] = set()
    for owner in classes:
        for base in owner.__mro__:
            if id(base) in seen:
                continue
            seen.add(id(base))
            for name, attribute in list(vars(base).items()):
                if type(attribute) is _LRU_CACHE:
                    yield _cached_method(base, name, attribute)


def _cached_method(owner: type, name: str, cache: Any) -> Cause:
    most = cache.cache_parameters()["maxsize"]
    where = f"{owner.__module__}.{owner.__qualname__}.{name}"
    kept = _("every instance that it is called on, for ever") if most is None else _("up to %d instances") % most
    return Cause(
        key="W022",
        where=where,
        what=_("lru_cache on a method keeps %s, with all that they hold.") % kept,
        remedy=_("Cache a function of plain values, or use cached_property, which keeps its value in the instance."),
        source="https://docs.python.org/3/faq/programming.html#how-do-i-cache-method-calls",
    )


def interpreter(version: str, where: str = "") -> Iterator[Cause]:
    """Known leaks of a CPython version, e.g. ``3.14.2``."""
    for match in matching((), version):
        yield _release(match, where or f"Python {version}")


def packages(distributions: Iterable[Distribution], python: str, where: str = "") -> Iterator[Cause]:
    """Known leaks of what is installed for this CPython."""
    for match in matching(distributions, python):
        if match.leak.package != PYTHON:
            yield _release(match, where or f"{match.leak.package} {match.version}")


def _release(match: Match, where: str) -> Cause:
    return Cause(
        key="W023" if match.leak.package == PYTHON else "W027",
        where=where,
        what=f"{match.sentence} {match.leak.symptom}",
        remedy=_("Run %s or newer.") % match.fixed_in,
        source=match.leak.reference,
    )


def recycling(where: str, command_line: str = "", *, tasks: object = None) -> Iterator[Cause]:
    """Workers that are replaced before their leak shows: by their command line, or Celery's setting."""
    found = _RECYCLES.search(command_line)
    said = found.group() if found else f"worker_max_tasks_per_child = {tasks}" if tasks else ""
    if not said:
        return
    celery = "tasks" in said
    yield Cause(
        key="W024",
        where=where,
        what=_("%s replaces workers before a leak shows in any one of them: it is hidden, not gone.") % said,
        remedy=_("Keep it as a safety net, and look at leaks of the whole service: they are judged over many workers."),
        source=(
            "https://docs.celeryq.dev/en/stable/userguide/configuration.html#worker-max-tasks-per-child"
            if celery
            else "https://docs.gunicorn.org/en/stable/settings.html#max-requests"
        ),
    )


def unfrozen(where: str, program: str, command_line: str) -> Iterator[Cause]:
    """Workers forked from a parent that has loaded everything: the collector's first run copies its pages."""
    preloaded = program == "gunicorn worker" and "--preload" in command_line.split()
    if not preloaded and program != "celery child":
        return
    hook = (
        _("In gunicorn's when_ready hook")
        if preloaded
        else _("In a receiver of Celery's signal worker_init, after the imports")
    )
    yield Cause(
        key="W025",
        where=where,
        what=_("It was forked from a loaded parent. A collection writes to the pages that both share: it copies them."),
        remedy=_("%s, call gc.collect() and gc.freeze(): what was loaded stays shared.") % hook,
        source="https://docs.python.org/3/library/gc.html#gc.freeze",
    )


def growing_suspects(where: str, summaries: Sequence[Collection[tuple[str, int]]]) -> Iterator[Cause]:
    """Known causes in what grows between the heap summaries of one process, oldest first, as names with counts."""
    if len(summaries) < 2:
        return
    first = dict(summaries[0])
    for name, count in summaries[-1]:
        before = first.get(name, 0)
        known = next((each for word, each in _growing().items() if word in name), None)
        if known is None or count <= before or count <= known[0]:
            continue
        _least, remedy, source = known
        yield Cause(
            key="W026",
            where=where,
            what=_("%(name)s: from %(before)s to %(count)s between two heap summaries.")
            % {"name": name, "before": f"{before:,}", "count": f"{count:,}"},
            remedy=remedy,
            source=source,
        )


def _growing() -> dict[str, tuple[int, str, str]]:
    """By a word of the suspect's name: more of them than this are reported, with what to do and the source."""
    return {
        "handlers of": (
            10,
            _("Add handlers where logging is set up, once."),
            "https://docs.python.org/3/howto/logging.html",
        ),
        "receivers of": (
            10,
            _("Connect receivers once, where the application starts, with a dispatch_uid."),
            "https://docs.djangoproject.com/en/5.2/topics/signals/#preventing-duplicate-signals",
        ),
        "lru_cache of": (
            1_000,
            _("Give it a smaller maxsize, or clear it: it keeps the result of every different argument."),
            "https://docs.python.org/3/library/functools.html#functools.lru_cache",
        ),
    }


def _derived(owner: type) -> Iterator[type]:
    for child in type.__subclasses__(owner):
        yield child
        yield from _derived(child)
