"""How many queries each page takes: pinned, and the same for much as for little."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from memwatch.models import (
    Alert,
    Anomaly,
    Baseline,
    ExpectedGrowth,
    Forecast,
    Leak,
    Process,
    Release,
    Service,
    Snapshot,
    WorkName,
)
from tests.admin.conftest import Fleet
from tests.services.stored_deaths import store_death
from tests.services.stored_work import figures, store_work

Login = Callable[..., Client]

MOST = {
    "overview": 26, "service": 18, "process": 23, "slot": 14, "leak": 29, "pooled leak": 26, "snapshot": 12,
    "baseline": 12, "alert": 7, "compare": 11, "expected growth": 8, "confirmation": 5,
    "work": 10, "name of work": 7, "death": 23, "deaths": 8, "settings that fit": 12, "fit of a service": 11,
    "release": 26, "anomaly": 9, "anomalies": 8, "forecasts": 7,
}  # fmt: skip
"""With two of them for session and user."""


def _url(row: Model) -> str:
    return reverse(f"admin:memwatch_{row._meta.model_name}_change", args=(row.pk,))


class Pages:
    """A fleet that can be made larger, and the address of each page in it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.process = fleet.process("shop")
        self.leak = fleet.leak(self.process)
        self.pooled = fleet.leak(self.process, "shop.Pooled", started_at=fleet.now - timedelta(minutes=30))
        Leak.objects.filter(pk=self.pooled.pk).update(process=None)
        self.baseline = fleet.baseline(fleet.snapshot(self.process, minutes_ago=30))
        self.rule = ExpectedGrowth.objects.create(type_pattern="shop.*", reason="x", service=self.process.service)
        self.alert = self._alert(self.process)
        self.dead = self._death()
        self.anomaly = self._anomaly(self.process)
        self.grow(2)

    def grow(self, count: int) -> None:
        fleet, service = self.fleet, self.process.service
        for number in range(count):
            self.snapshot = fleet.snapshot(self.process, minutes_ago=20 - number)
            other = fleet.process("shop", slot=Process.objects.count() + 1)
            lives = {"started_at": fleet.now - timedelta(minutes=40 + number), "ended_at": fleet.now}
            for each in (other, fleet.process("shop", **lives), fleet.process(f"s{Process.objects.count()}")):
                fleet.baseline(fleet.snapshot(each, minutes_ago=9))
                fleet.snapshot(each)
                fleet.leak(each, f"shop.Type{number}", state="suppressed", expected_growth=self.rule)
                fleet.leak(each)
                self._alert(each)
            self._death()
            self._anomaly(other)
            Forecast.objects.create(
                kind="process", subject=str(other.pk), host=other.host, process=other, used_kib=9, limit_kib=10,
                earliest=fleet.now, likely=fleet.now,
            )  # fmt: skip
            release = Release.objects.create(service=service, name=f"2.{Release.objects.count()}")
            Process.objects.filter(pk=other.pk).update(release=release)
            for each in (other, self.process):
                names = (f"shop:page_{WorkName.objects.count()}", "shop:index")
                store_work(each, fleet.now - timedelta(hours=number), *(figures(name, peak_kib=9) for name in names))
            Baseline.objects.create(service=service, timestamp=fleet.now, reason="after 2.4", active=False)

    def _death(self) -> Process:
        process = self.fleet.process("shop", slot=Process.objects.count() + 1)
        return store_death(at=self.fleet.now, process=process, growers=(("shop.Pooled", 9),))

    def _anomaly(self, process: Process) -> Anomaly:
        return Anomaly.objects.create(
            service=process.service, process=process, sibling=self.process, kind="siblings", score=50.0, says="Higher.",
            figures={"rss": {"value": 9.0, "usual": 3.0, "ratio": 2.0}}, since=self.fleet.now,
        )  # fmt: skip

    def _alert(self, process: Process) -> Alert:
        cleared = self.fleet.now if process.pk % 2 else None
        return Alert.objects.create(
            type="leak", severity="high", service=process.service, process=process, cleared_at=cleared,
            subject="same" if cleared else str(process.pk), message="It leaks.", value=8.0, threshold=5.0,
        )  # fmt: skip

    def address(self, page: str) -> str:
        process = self.process
        compare = reverse("admin:memwatch_snapshot_compare")
        first = Snapshot.objects.filter(process=process).earliest("pk")
        return {
            "overview": reverse("admin:memwatch_overview_changelist"),
            "service": _url(Service.objects.get(name="shop")),
            "process": _url(process),
            "death": _url(self.dead),
            "deaths": reverse("admin:memwatch_death_changelist"),
            "settings that fit": reverse("admin:memwatch_recommendation_changelist"),
            "fit of a service": reverse("admin:memwatch_recommendation_change", args=(process.service_id,)),
            "slot": reverse("admin:memwatch_process_slot", args=(process.service_id, process.host, 1)),
            "leak": _url(self.leak),
            "pooled leak": _url(self.pooled),
            "snapshot": _url(self.snapshot),
            "baseline": _url(self.baseline),
            "alert": _url(self.alert),
            "compare": f"{compare}?process={process.pk}&from={first.pk}&to={self.snapshot.pk}",
            "expected growth": _url(self.rule),
            "release": _url(Release.objects.latest("pk")),
            "anomaly": _url(self.anomaly),
            "anomalies": reverse("admin:memwatch_anomaly_changelist"),
            "forecasts": reverse("admin:memwatch_forecast_changelist"),
            "work": reverse("admin:memwatch_workrollup_changelist"),
            "name of work": _url(WorkName.objects.get(name="shop:index")),
            "confirmation": reverse("admin:memwatch_leak_act", args=(self.leak.pk, "acknowledge")),
        }[page]


@pytest.mark.parametrize("page", MOST)
def test_a_page_takes_as_many_queries_for_much_as_for_little(page: str, fleet: Fleet, login: Login) -> None:
    client, pages = login("operator"), Pages(fleet)

    def queries() -> int:
        address = pages.address(page)
        client.get(address)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    few = queries()
    pages.grow(8)
    assert queries() == few
    assert few <= MOST[page]
