"""The timetable from a task of ``django.tasks``, as the guide says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deployment.tiny import TinySite
from tests.docs.blocks import ROOT, blocks_of_page
from tests.timetable.test_work_command import send, state

pytestmark = pytest.mark.deployment

SETTINGS = """
INSTALLED_APPS += ["django_tasks", "django_tasks_db", "patched.Patched"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
"""
APPLICATION = """
from django.apps import AppConfig
class Patched(AppConfig):
    name = "patched"
    path = "."
"""


def test_the_task_of_the_guide_runs_the_timetable_and_comes_again(tmp_path: Path) -> None:
    (guide,) = (
        block.text
        for block in blocks_of_page(ROOT / "docs" / "how-to" / "without-celery.md")
        if block.language == "python"
    )
    site = TinySite(
        tmp_path, settings=SETTINGS, patched=APPLICATION, tasks=guide.replace("django.tasks", "django_tasks")
    )
    assert site.manage("migrate", "--no-input").returncode == 0
    send(site)
    begun = site.run("-c", "import django; django.setup(); from tasks import memwatch_timetable as t; t.enqueue()")
    assert begun.returncode == 0, begun.stderr
    worked = site.manage("db_worker", "--batch")
    assert worked.returncode == 0, worked.stderr
    assert state(site)[0] == 1
    waiting = site.run(
        "-c",
        "import django; django.setup(); from django_tasks_db.models import DBTaskResult as R; "
        "print(R.objects.filter(status='READY', run_after__isnull=False).count())",
    )
    assert waiting.stdout == "1\n", worked.stderr
