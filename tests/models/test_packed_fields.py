from __future__ import annotations

import pytest
from django.core import serializers

from memwatch.models import Snapshot
from tests.services.stored import NOON, store_process, store_snapshots

pytestmark = pytest.mark.django_db


def test_a_fixture_shows_packed_figures_and_loads_them_again() -> None:
    process = store_process()
    look = {"big_containers": [{"type": "list", "length": 1_200}]}
    store_snapshots(process, NOON, NOON, lambda _minutes: {"extras": look, "gc_count": [10, 2, 1]})
    before = Snapshot.objects.get()
    text = serializers.serialize("json", [before])
    Snapshot.objects.all().delete()

    for loaded in serializers.deserialize("json", text):
        loaded.save()

    after = Snapshot.objects.get()
    assert (after.counts, after.extras, after.gc_count) == (before.counts, look, [10, 2, 1])


def test_what_was_not_measured_stays_unknown() -> None:
    row = Snapshot.objects.create(process=store_process(), seq=1, timestamp=NOON)
    row.refresh_from_db()
    assert (row.counts, row.extras, row.gc_count) == (None, None, None)
    assert list(Snapshot.objects.filter(counts=None)) == [row]
