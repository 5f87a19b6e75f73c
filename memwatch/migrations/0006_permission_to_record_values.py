from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("memwatch", "0005_how_objects_are_counted"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="recording",
            options={
                "ordering": ("-id",),
                "permissions": (
                    ("record_process", "Can record processes and download recordings"),
                    ("record_values", "Can have values of objects recorded, and see them"),
                ),
                "verbose_name": "recording",
                "verbose_name_plural": "recordings",
            },
        ),
    ]
