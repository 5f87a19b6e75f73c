"""Taking memwatch away from a site: what it has left there, part by part, counted first and removed on demand."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError
from django.db.models import QuerySet
from django.db.utils import OperationalError

from memwatch import permissions
from memwatch.conf import get_settings
from memwatch.models import Process, Recording, connection
from memwatch.services.recordings import storage
from memwatch.transport import TransportUnavailable, redacted
from memwatch.transport.erasing import erase, traces

LABEL = "memwatch"
BROKER_S = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One kind of thing that memwatch has left."""

    what: str
    count: int
    remove: Callable[[], None]
    problem: str = ""
    """Why it could not be looked at; then it is not removed."""


def parts() -> Iterator[Part]:
    """In the order in which they have to go: what sends first, what Django makes again after a migration last."""
    yield from _schedule()
    yield from _queue()
    yield from _recordings()
    yield from _tables()
    yield from _people()
    yield from _transport()


def watched() -> int:
    """Processes that still report, and would make the transport's folder again."""
    try:
        return Process.objects.alive().filter(outside=False).count()
    except DatabaseError:
        return 0


def _nothing() -> None:
    return


def _rows(what: str, rows: QuerySet[Any], after: Callable[[], None] = _nothing) -> Iterator[Part]:
    try:
        count = rows.count()
    except DatabaseError as error:
        yield Part(what, 0, _nothing, f"{what}: {str(error).strip()[:200]}")
        return

    def remove() -> None:
        rows.all().delete()
        after()

    yield Part(what, count, remove)


def _schedule() -> Iterator[Part]:
    """django-celery-beat keeps the timetable in tables of its own, and goes on with it."""
    if not apps.is_installed("django_celery_beat"):
        return
    tables = apps.get_app_config("django_celery_beat")
    tasks = tables.get_model("PeriodicTask")._default_manager
    own = tasks.filter(task__startswith=f"{LABEL}.")
    intervals = tables.get_model("IntervalSchedule")._default_manager
    try:
        used = list(own.exclude(interval=None).values_list("interval_id", flat=True))
    except DatabaseError:
        used = []

    def and_intervals() -> None:
        intervals.filter(pk__in=used, periodictask=None).delete()

    yield from _rows("periodic tasks of django-celery-beat", own, and_intervals)


def _queue() -> Iterator[Part]:
    """Messages that no worker will fetch."""
    try:
        import celery  # noqa: PLC0415 - a site without it has no queue
    except ModuleNotFoundError:
        return
    app, name = celery.current_app, get_settings().task_queue
    if app.main == "default":
        return
    what = f"messages in the queue {name!r}"
    if name == app.conf.task_default_queue:
        yield Part(what, 0, _nothing, f"{what}: it is the site's own queue too; the messages expire by themselves")
        return
    try:
        count = _with_broker(app, lambda channel: channel.queue_declare(queue=name, passive=True).message_count)
    except Exception as error:  # noqa: BLE001 - every transport of kombu has errors of its own
        if getattr(error, "code", None) != 404:
            yield Part(what, 0, _nothing, f"{what}: the broker does not answer: {type(error).__name__}: {error}")
            return
        count = 0

    def remove() -> None:
        def gone(channel: Any) -> None:
            queue = app.amqp.queues[name](channel)
            queue.declare()
            queue.purge()
            queue.delete()

        _with_broker(app, gone)

    yield Part(what, int(count), remove)


def _with_broker(app: Any, work: Callable[[Any], Any]) -> Any:
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=BROKER_S)
        return work(connection.default_channel)


def _recordings() -> Iterator[Part]:
    """Outcomes that lie beside the database."""
    settings = get_settings()
    if settings.recordings_storage:
        rows = Recording.objects.exclude(artifact="")
        try:
            count = rows.count()
        except DatabaseError:
            count = 0
        where = f"files of recordings in the storage {settings.recordings_storage!r}"
        yield Part(where, count, lambda: storage.remove_files(Recording.objects.all()))
        return
    folder = settings.recordings_folder_path
    yield Part(f"folder of recordings {folder}", int(folder.is_dir()), lambda: shutil.rmtree(folder))


def _tables() -> Iterator[Part]:
    where = connection.connection()
    try:
        with where.cursor() as cursor:
            own = [name for name in where.introspection.table_names(cursor) if name.startswith(f"{LABEL}_")]
    except OperationalError as error:
        yield Part("tables", 0, _nothing, f"tables: {str(error).strip()[:200]}")
        return

    def drop() -> None:
        call_command("migrate", LABEL, "zero", database=where.alias, verbosity=0)

    yield Part("tables", len(own), drop)


def _people() -> Iterator[Part]:
    """After the tables: Django makes groups, permissions and content types at the end of every migration."""
    using = connection.alias()
    if apps.is_installed("django.contrib.auth"):
        from django.contrib.auth.models import Group, Permission  # noqa: PLC0415 - needs auth in INSTALLED_APPS

        groups = Group.objects.using(using).filter(name__in=(permissions.VIEWERS, permissions.OPERATORS))
        yield from _rows("groups", groups)
        yield from _rows("permissions", Permission.objects.using(using).filter(content_type__app_label=LABEL))
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes.models import ContentType  # noqa: PLC0415

        yield from _rows(
            "content types", ContentType.objects.using(using).filter(app_label=LABEL), ContentType.objects.clear_cache
        )


def _transport() -> Iterator[Part]:
    for url in dict.fromkeys((get_settings().transport_url, get_settings().hub_url)):
        what = f"folders and keys of the transport {redacted(url)}"
        try:
            count = len(traces(url))
        except (TransportUnavailable, ValueError) as error:
            yield Part(what, 0, _nothing, f"{what}: {error}")
            continue
        yield Part(what, count, lambda url=url: erase(url))  # type: ignore[misc]
