from datetime import timedelta

from django.db import migrations
from django.db.models import F
from django.utils import timezone

A_WEEK = timedelta(days=7)
"""What is older is not sent over OTLP: it is no news."""


def note(apps, schema_editor):
    """Ends from before 0031 get the time that they are sent by: those that wait for a collector would never be sent.

    What was sent already stays behind the cursor.
    """
    alias = schema_editor.connection.alias
    if apps.get_model("memwatch", "EventCursor").objects.using(alias).filter(name="deaths").exists():
        ended = apps.get_model("memwatch", "Process").objects.using(alias).filter(end_noted_at=None)
        ended.filter(ended_at__gte=timezone.now() - A_WEEK).update(end_noted_at=F("ended_at"))


class Migration(migrations.Migration):

    dependencies = [
        ("memwatch", "0035_cpu_files_and_switches"),
    ]

    operations = [
        migrations.RunPython(note, migrations.RunPython.noop, elidable=True),
    ]
