"""On SQLite as Django sets it up, writers wait for one another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.deployment

ROOT = Path(__file__).parents[2]

TWO_WRITERS = """\
import sys
import threading

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="secret",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "memwatch"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    MEMWATCH={"AGENT": False},
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from memwatch.models import Lease
from memwatch.services.locking import writing

call_command("migrate", verbosity=0, skip_checks=True)
both_have_read = threading.Barrier(2)
failures = []


def read_then_write(begin, name):
    try:
        with begin():
            Lease.objects.count()
            try:
                both_have_read.wait(0.5)
            except threading.BrokenBarrierError:
                pass
            Lease.objects.create(name=name, expires_at=timezone.now())
    except OperationalError as error:
        failures.append(str(error))
    finally:
        connection.close()


begin = {"writing": writing, "atomic": transaction.atomic}[sys.argv[2]]
writers = [threading.Thread(target=read_then_write, args=(begin, name)) for name in ("one", "two")]
for writer in writers:
    writer.start()
for writer in writers:
    writer.join()
print(Lease.objects.count(), *failures)
"""


@pytest.mark.parametrize(("begin", "outcome"), [("writing", "2"), ("atomic", "1 database is locked")])
def test_who_reads_first_waits_for_another_writer_only_in_a_writing_transaction(
    begin: str, outcome: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_WRITERS, str(tmp_path / "db.sqlite3"), begin],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == (outcome, "")
