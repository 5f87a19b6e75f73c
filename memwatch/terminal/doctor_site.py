"""The site: settings, database, transport, agents, groups, pages, static files."""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks
from django.db import DatabaseError
from django.urls import NoReverseMatch, Resolver404, get_resolver, get_script_prefix, resolve, reverse
from django.utils import timezone

from memwatch import conf, formatting, permissions
from memwatch.checks import check_database
from memwatch.models import Command, Process
from memwatch.models import connection as tables
from memwatch.queries import transport_state
from memwatch.queries.deployment.site import missing_groups
from memwatch.queries.processes.lookup import alive_agents, any_ended
from memwatch.services import commands
from memwatch.terminal.finding import Finding
from memwatch.transport import TransportUnavailable, redacted

ASKED = 3
"""Processes that are asked for a sign of life."""
ANSWER_S = 5.0


def settings() -> Iterator[Finding]:
    """The system checks of memwatch."""
    try:
        found = [message for message in checks.run_checks() if (message.id or "").startswith("memwatch.")]
    except Exception as error:  # noqa: BLE001 - the checks load the site's own modules
        found = []
        remedy = "manage.py check shows where. A line about the site's routes below may say why."
        yield Finding(False, f"the system checks cannot be run: {type(error).__name__}: {str(error)[:200]}", remedy)
    for message in found:
        serious = message.level >= checks.ERROR
        yield Finding(False if serious else None, f"{message.id}: {message.msg}", message.hint or "")
    if not any(message.level >= checks.ERROR for message in found):
        own = conf.get_settings()
        words_of = f"a snapshot every {own.snapshot_interval:g} s, tasks on the queue {own.task_queue!r}"
        yield Finding(True, f"settings: {words_of}, transport {redacted(own.transport_url)}")
        if not own.agent:
            yield Finding(
                False, "AGENT is off here", "Unset MEMWATCH_AGENT to watch the processes of this environment."
            )


def database() -> Iterator[Finding]:
    """Reachable, and with every table."""
    alias, connection = tables.alias(), tables.connection()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        missing = tables.missing_migrations()
    except DatabaseError as error:
        yield Finding(False, f"database {alias!r}: {str(error).strip()[:200]}", f'See DATABASES["{alias}"].')
        return
    if missing:
        text = f"database {alias!r} has {missing} unapplied migration(s) of memwatch"
        yield Finding(False, text, f"Run {tables.remedy()}.")
    else:
        yield Finding(True, f"database {alias!r} ({connection.vendor}) answers and has every table")
        for message in check_database([alias]):  # Django asks these only of migrate and check --database
            yield Finding(None, f"{message.id}: {message.msg}", message.hint or "")


def transport() -> Iterator[Finding]:
    """The way from the agents."""
    url = conf.get_settings().transport_url
    try:
        state = transport_state()
    except (TransportUnavailable, ValueError) as error:
        remedy = 'Check MEMWATCH["TRANSPORT"], and that this user and host can reach it.'
        yield Finding(False, f"transport {redacted(url)}: {error}", remedy)
        return
    backlog = "1 report waits" if state.backlog == 1 else f"{formatting.count(state.backlog)} reports wait"
    if state.oldest_s is not None and state.oldest_s > 2 * conf.get_settings().snapshot_interval + 30:
        oldest = formatting.duration(state.oldest_s)
        yield Finding(False, f"transport: {backlog}, the oldest for {oldest}", "Check that a worker serves the queue.")
    else:
        yield Finding(True, f"transport {redacted(url)} answers, {backlog}")
    if state.lost:
        remedy = "The transport was full before a worker read it: see docs/settings.md, Transport."
        yield Finding(None, f"transport: {formatting.count(state.lost)} reports were lost so far", remedy)
    if url.startswith("local:"):
        yield from _folder(Path(urlsplit(url).path), shared="group=" in url)


def _folder(path: Path, *, shared: bool) -> Iterator[Finding]:
    try:
        found = path.stat()
    except OSError as error:
        yield Finding(False, f"{path}: {error.strerror}", "The first agent or worker that starts creates it.")
        return
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o007 or (mode & 0o070 and not shared):
        yield Finding(False, f"{path} has the mode {mode:o}: others may read reports", f"chmod o-rwx,g-rwx {path}")
    elif found.st_uid != os.geteuid() and not shared:
        remedy = "Run this command as the user of web and workers, or share the folder: local:///folder?group=NAME."
        yield Finding(
            False, f"{path} belongs to the user {found.st_uid}, and this command runs as {os.geteuid()}", remedy
        )
    else:
        yield Finding(True, f"{path} has the mode {mode:o}")


_REMEDIES = {
    "fallback": "A count stops the process for longer: see docs/how-it-works.md, What it costs.",
    "stop-the-world": "A count stops the process; the larger its heap, the longer. The kinds flamegraph, allocations "
    "and trim cannot be recorded, and heap_used_mb is not known, because mimalloc does not tell it. "
    "For these, run the build of Python with the global lock.",
    "nothing": "There are no leaks by type and no recordings: install the compiled part, or run the build of Python "
    "with the global lock.",
}
"""By how a way to count begins."""


def _census_methods(alive: Iterable[Process]) -> Iterator[Finding]:
    """How the objects of these processes are counted."""
    by_method: dict[str, list[str]] = {}
    for process in alive:
        if process.census_method:
            by_method.setdefault(process.census_method, []).append(process.slot)
    for method, slots in sorted(by_method.items()):
        named = ", ".join(slots[:5]) + (f" and {len(slots) - 5} more" if len(slots) > 5 else "")
        remedy = next((remedy for way, remedy in _REMEDIES.items() if method.startswith(way)), "")
        yield Finding(None if remedy else True, f"objects counted by {method}: {named}", remedy)


def agents() -> Iterator[Finding]:
    """Whether processes report."""
    alive = alive_agents()
    if not alive:
        ended = any_ended()
        start = "Start web, worker and beat" + (" again" if ended else " with memwatch in INSTALLED_APPS")
        yield Finding(
            False, "no process reports", f"{start}. Reports need a running worker, and take a minute to arrive."
        )
        return
    silent_s = conf.get_settings().silent_after_s
    now = timezone.now()
    silent = [process for process in alive if (now - process.last_seen_at).total_seconds() > silent_s]
    services: dict[str, int] = {}
    for process in alive:
        services[process.service.name] = services.get(process.service.name, 0) + 1
    counted = ", ".join(f"{name} {number}" for name, number in sorted(services.items()))
    yield Finding(True, f"{len(alive)} processes are watched: {counted}")
    yield from _census_methods(alive)
    for process in silent[:5]:
        text = f"{process} last reported {formatting.age(process.last_seen_at, now)}"
        yield Finding(False, text, "Check that it still runs, and that a worker stores reports.")
    for process in alive:
        if process.sampling_failures or process.dropped_snapshots:
            lost = f"{process.dropped_snapshots} snapshots dropped, {process.sampling_failures} failed"
            yield Finding(None, f"{process}: {lost} since its start", "Its log says why.")


def commands_are_obeyed() -> Iterator[Finding]:
    """A sign of life of some processes."""
    alive = alive_agents(ASKED)
    if not alive or not django_settings.USE_TZ or not _transport_answers():
        return
    rows = commands.ask("ping", alive, wait_s=ANSWER_S)
    for process, row in zip(alive, rows, strict=True):
        if row.state == Command.State.DONE:
            yield Finding(True, f"{process} obeys commands")
        else:
            remedy = (
                "Check that SECRET_KEY (or COMMAND_KEY) and TRANSPORT are the same there. Its log says what it refuses."
            )
            yield Finding(False, f"{process} does not answer: {row.detail or row.get_state_display()}", remedy)


def _transport_answers() -> bool:
    """Where it does not, a line of its own says so: not one more for each process."""
    try:
        transport_state()
    except (TransportUnavailable, ValueError):
        return False
    return True


def groups() -> Iterator[Finding]:
    """The two groups that come with the migrations."""
    if not apps.is_installed("django.contrib.auth"):
        return
    missing = missing_groups((permissions.VIEWERS, permissions.OPERATORS))
    if missing:
        yield Finding(False, f"groups missing: {', '.join(sorted(missing))}", "Create them: manage.py migrate.")
    else:
        yield Finding(True, f"groups {permissions.VIEWERS!r} and {permissions.OPERATORS!r} exist")


def pages() -> Iterator[Finding]:
    """Admin, API and metrics: whether they have a route, and whether no other route of the site's takes it."""
    include = 'path("", include("memwatch.urls")) in urls.py'
    own_site = (
        'path("admin/", admin.site.urls) in urls.py; for an admin site of your own call memwatch.admin.register(it)'
    )
    try:
        get_resolver().url_patterns  # noqa: B018 - loads every module of routes
    except Exception as error:  # noqa: BLE001 - the site's modules may fail with anything
        yield _unloadable(error)
        return
    if apps.is_installed("django.contrib.admin"):
        yield _page("admin:memwatch_overview_changelist", "admin", own_site)
    else:
        yield Finding(False, "django.contrib.admin is not installed: memwatch has no pages", _WITH_ADMIN)
    yield _page("memwatch-metrics", "metrics", include)
    own = conf.get_settings()
    if own.metrics_enabled and not own.metrics_token and not own.metrics_allow_loopback:
        remedy = 'Give MEMWATCH["METRICS_TOKEN"], and to Prometheus the same; memwatch_exporter wants none.'
        yield Finding(None, "the web metrics cannot be scraped: no token is set", remedy)
    if apps.is_installed("rest_framework"):
        yield _page("memwatch-api:stats", "API", include)
    else:
        yield Finding(None, "no API", 'For one add "rest_framework" and "django_filters" to INSTALLED_APPS.')


_WITH_ADMIN = 'Add "django.contrib.admin" to INSTALLED_APPS, then path("admin/", admin.site.urls) in urls.py.'


def _unloadable(error: Exception) -> Finding:
    text = f"the routes of {django_settings.ROOT_URLCONF} cannot be loaded: {type(error).__name__}: {str(error)[:200]}"
    without_admin = isinstance(error, LookupError) and not apps.is_installed("django.contrib.admin")
    return Finding(False, text, _WITH_ADMIN if without_admin else "No page of the site can be served: see that module.")


def _page(name: str, what: str, remedy: str) -> Finding:
    try:
        url = reverse(name)
    except NoReverseMatch:
        return Finding(False, f"{what} has no URL", f"Add {remedy}.")
    try:
        match = resolve(f"/{url.removeprefix(get_script_prefix())}")
    except Resolver404:
        return Finding(True, f"{what}: {url}")  # such as below a host of its own: not for us to say
    if match.url_name != name.rpartition(":")[2]:
        taken_by = match.view_name or getattr(match.func, "__name__", "another route")
        text = f"{what}: {url} is taken by another route of the site, {taken_by}"
        return Finding(False, text, 'Put path("", include("memwatch.urls")) before it in urls.py.')
    return Finding(True, f"{what}: {url}")


def static_files() -> Iterator[Finding]:
    """The admin's style and charts."""
    if not apps.is_installed("django.contrib.staticfiles"):
        yield Finding(False, "django.contrib.staticfiles is not installed", "The admin's pages need static files.")
        return
    missing = [name for name in _wanted_static() if not _is_served(name)]
    if missing:
        yield Finding(False, f"static files not found: {', '.join(missing)}", "Run manage.py collectstatic.")
    else:
        yield Finding(True, "static files are found")
    if not apps.is_installed("chartkick.django"):
        first = "" if importlib.util.find_spec("chartkick") else "pip install chartkick; "
        yield Finding(None, "no charts in the admin", f'{first}INSTALLED_APPS += ["chartkick.django"]')


def _wanted_static() -> list[str]:
    charts = ["chartkick/Chart.bundle.js"] if apps.is_installed("chartkick.django") else []
    return ["memwatch/admin.css", *charts]


def _is_served(name: str) -> bool:
    if django_settings.DEBUG or not django_settings.STATIC_ROOT:
        return finders.find(name) is not None
    try:
        return staticfiles_storage.exists(staticfiles_storage.stored_name(name))  # type: ignore[attr-defined]
    except ValueError:  # a manifest that does not know it: pages that name it fail
        return False
    except AttributeError:
        return staticfiles_storage.exists(name) or finders.find(name) is not None
