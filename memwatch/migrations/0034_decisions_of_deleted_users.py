from django.db import migrations, models


def mark(apps, schema_editor):
    """Decisions whose user is still there."""
    events = apps.get_model("memwatch", "LeakEvent").objects.using(schema_editor.connection.alias)
    events.filter(by__isnull=False).update(by_a_person=True)


class Migration(migrations.Migration):

    dependencies = [
        ("memwatch", "0033_anomalies"),
    ]

    operations = [
        migrations.AddField(
            model_name="leakevent",
            name="by_a_person",
            field=models.BooleanField(default=False, editable=False, help_text="Also when the user has been deleted.", verbose_name="by a person"),
        ),
        migrations.RunPython(mark, migrations.RunPython.noop, elidable=True),
    ]
