"""The numbers as lines to paste, for each server and for what runs the container."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from memwatch.recommendations import advice as names
from memwatch.recommendations import plan as plans
from memwatch.recommendations.advice import Advice

MIN_LIFETIME_S = 60
"""Granian takes no shorter lifetime."""


class Snippet(NamedTuple):
    """Lines for one file or command line."""

    key: str
    title: str
    text: str


def snippets(advice: Advice) -> tuple[Snippet, ...]:
    """Those for its own server first; none while nothing is known."""
    if advice.state == plans.UNKNOWN:
        return ()
    server = advice.service.server
    found: list[Snippet] = []
    if server == "celery":
        found += _celery(advice)
    elif server:
        found += _web(advice)
        found.sort(key=lambda each: each.key != server)
    return (*found, *_container(advice))


def _value(advice: Advice, name: str) -> int | None:
    row = advice.setting(name)
    return None if row is None else row.recommended


def _jobs(advice: Advice) -> int | None:
    return advice.plan.jobs if advice.state == plans.RECYCLE else 0 if advice.state == plans.NOT_NEEDED else None


def _celery(advice: Advice) -> Iterator[Snippet]:
    rows = [(name, _value(advice, name)) for name in (names.TASKS, names.MEMORY, names.CONCURRENCY)]
    known = [(name, value) for name, value in rows if value is not None]
    if known:
        lines = [f"app.conf.{name} = {value or None}" for name, value in known]
        yield Snippet("celery", "Celery: the module of the application", "\n".join(lines))
        options = [f"--{name.removeprefix('worker_').replace('_', '-')}={value}" for name, value in known if value]
        if options:
            yield Snippet("celery-command", "Celery: command line", f"celery -A yoursite worker {' '.join(options)}")


def _web(advice: Advice) -> Iterator[Snippet]:
    """Any web server may be the next one: all are given, from the same life."""
    jobs, workers = _jobs(advice), _value(advice, names.WORKERS)
    if jobs is None:
        return
    requests, jitter = names.with_jitter(jobs)
    grown = _grown_mb(advice) if jobs else None
    count = workers or advice.plan.workers
    yield Snippet(
        "gunicorn",
        "gunicorn: gunicorn.conf.py",
        f"workers = {count}\nmax_requests = {requests}\nmax_requests_jitter = {jitter}",
    )
    lines = ["[uwsgi]", f"workers = {count}"]
    if jobs:
        lines += [f"max-requests = {requests}", f"max-requests-delta = {(jitter or 0) // count}"]
    if grown is not None:
        lines.append(f"reload-on-rss = {grown}")
    yield Snippet("uwsgi", "uWSGI: its ini file", "\n".join(lines))
    options = [f"--workers {count}"]
    if grown is not None:
        options.append(f"--workers-max-rss {grown}")
    rate = advice.plan.usual_rate
    if jobs and rate:
        options.append(f"--workers-lifetime {max(MIN_LIFETIME_S, int(jobs / rate * 3600))}")
    yield Snippet("granian", "Granian: command line", f"granian {' '.join(options)} --interface wsgi yoursite.wsgi")
    limit = f" --limit-max-requests {jobs}" if jobs else ""
    yield Snippet("uvicorn", "uvicorn: command line", f"uvicorn --workers {count}{limit} yoursite.asgi:application")


def _grown_mb(advice: Advice) -> int | None:
    """Resident memory in MB that a worker may reach between two jobs."""
    grown = plans.grown_mb(advice.plan)
    return None if math.isinf(grown) else int(grown)


def _container(advice: Advice) -> Iterator[Snippet]:
    request, limit = _value(advice, names.REQUEST), _value(advice, names.LIMIT)
    if request is None or limit is None:
        return
    yield Snippet(
        "kubernetes",
        "Kubernetes: the container's resources",
        f'resources:\n  requests:\n    memory: "{request}Mi"\n  limits:\n    memory: "{limit}Mi"',
    )
    yield Snippet("compose", "Compose: the service", f"mem_reservation: {request}m\nmem_limit: {limit}m")
