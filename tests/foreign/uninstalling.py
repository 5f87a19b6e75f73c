"""Run by the depot's own Python: every task is sent once, then memwatch goes; what was there before, between and after.

``python -m tests.foreign.uninstalling SCHEDULER`` prints JSON.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import django


def left() -> dict[str, Any]:
    """What of memwatch is in the site."""
    from django.apps import apps
    from django.conf import settings
    from django.contrib.auth.models import Group, Permission
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    headers = [json.loads(message)["headers"] for message in _messages()]
    found: dict[str, Any] = {
        "messages": len(headers),
        "messages that never expire": sum(not one["expires"] for one in headers),
        "groups": Group.objects.count(),
        "permissions": Permission.objects.filter(content_type__app_label="memwatch").count(),
        "content types": ContentType.objects.filter(app_label="memwatch").count(),
        "tables": sum(name.startswith("memwatch_") for name in connection.introspection.table_names()),
        "migrations": sum(app == "memwatch" for app, _name in MigrationRecorder(connection).applied_migrations()),
        "folders": sum((settings.FOLDER / name).exists() for name in ("transport", "recordings")),
    }
    if settings.REDIS:
        keys = [key for number in (7, 8) for key in _redis(number).scan_iter()]
        found["keys"] = sum(key.startswith(b"mw:") or b"memwatch" in key for key in keys)
        found["keys of the site"] = keys.count(b"of the site")
    if apps.is_installed("django_celery_beat"):
        rows = apps.get_model("django_celery_beat", "PeriodicTask")._default_manager
        found["periodic tasks"] = rows.filter(task__startswith="memwatch.").count()
        found["the site's own"] = rows.exclude(task__startswith="memwatch.").count()
        found["intervals"] = apps.get_model("django_celery_beat", "IntervalSchedule")._default_manager.count()
    return found


def _redis(number: int) -> Any:
    import redis
    from django.conf import settings

    return redis.Redis.from_url(f"{settings.REDIS}/{number}")


def _messages() -> list[str | bytes]:
    """As they lie in memwatch's queue."""
    from django.conf import settings

    if settings.REDIS:
        return list(_redis(7).lrange("memwatch", 0, -1))
    return [file.read_text() for file in (settings.FOLDER / "queue").glob("*memwatch*.msg")]


def send_each(scheduler: str, folder: Path) -> None:
    """As beat does when each is due."""
    from celery.utils.imports import symbol_by_name

    from tests.foreign.depot import celery_app as app

    app.loader.import_default_modules()
    options = {} if "django" in scheduler else {"schedule_filename": str(folder / "beat")}
    made = symbol_by_name(scheduler)(app=app, lazy=False, **options)
    for entry in list(made.schedule.values()):
        if entry.task.startswith("memwatch."):
            made.apply_async(entry, advance=False)
    made.close()


def uninstall(*arguments: str) -> str:
    from django.core.management import call_command

    out = io.StringIO()
    call_command("memwatch_uninstall", *arguments, stdout=out)
    return out.getvalue()


if __name__ == "__main__":
    django.setup()
    from django.conf import settings

    (settings.FOLDER / "recordings").mkdir()
    if settings.REDIS:  # as an agent and an ingester leave it
        _redis(7).set("of the site", 1)
        _redis(8).set("of the site", 1)
        _redis(8).xadd("mw:up", {"report": b"1"})
        _redis(8).xgroup_create("mw:up", "ingest")
        _redis(8).xadd("mw:cmd:all", {"command": b"1"})
    else:
        (settings.FOLDER / "transport" / "spool").mkdir(parents=True)
    send_each(sys.argv[1], settings.FOLDER)
    told = {"before": left(), "rehearsal": uninstall(), "between": left(), "done": uninstall("--yes"), "after": left()}
    json.dump(told, sys.stdout)
