"""The pages of a heap dump: from the findings to the holder, object by object, closed to others."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from memwatch.admin.recordings import admin
from memwatch.heapdump.format import Edge, Family
from memwatch.models import Recording
from memwatch.permissions import OPERATORS
from memwatch.services.recordings import heap_analyses, heap_dumps, heap_runs, requests
from tests.admin.conftest import EVIL, Fleet
from tests.heapdump.planted import COUNT, Planted
from tests.services.conftest import transport_url
from tests.services.recordings.dumps import store_content, store_dump
from tests.waiting import until

__all__ = ["transport_url"]
Login = Callable[..., Client]


@pytest.fixture(autouse=True)
def _here(transport_url: str, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    assert transport_url
    monkeypatch.setattr(requests, "REFUSAL_WAIT_S", 0.0)
    monkeypatch.setattr(admin, "PATIENCE_S", 60.0)
    settings.MEMWATCH = {**getattr(settings, "MEMWATCH", {}), "RECORDINGS_FOLDER": str(tmp_path / "recordings")}


@pytest.fixture
def dump(fleet: Fleet, tmp_path: Path) -> Recording:
    return store_dump(fleet.process(), tmp_path, "attribute_of_an_instance", pid=1, host="a")


def heap_url(recording: Recording) -> str:
    return reverse("admin:memwatch_recording_heap", args=(recording.pk,))


def shown(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_from_the_recording_to_the_findings(login: Login, dump: Recording) -> None:
    client = login("operator")
    assert heap_url(dump) in shown(client, dump.get_absolute_url())
    page = shown(client, heap_url(dump))
    assert f"shop.leaks.AuditTrail.trail keeps {COUNT} shop.leaks.Quote objects" in page
    assert 'href="?type=shop.leaks.Quote"' in page


def test_down_the_dominators_to_the_list(login: Login, dump: Recording) -> None:
    client, address = login("operator"), heap_url(dump)
    for _ in range(4):
        table = shown(client, address).split('id="mw-dominators"')[1]
        (first, *_rest) = re.findall(r'<a href="(\?node=\d+)">', table)
        address = f"{heap_url(dump)}{first}"
    page = shown(client, address)
    assert "<strong>shop.leaks.AuditTrail.trail: list, 6.0 KB</strong>" in page
    assert re.search(r"Whole heap</a>.*dict of module shop\.leaks</a>.*shop\.leaks\.AuditTrail</a>", page, re.DOTALL)
    assert '<span class="mw-second">shop.leaks.Quote</span>' in page


def test_the_chart_has_a_block_for_each_large_object_below_its_dominator(login: Login, dump: Recording) -> None:
    chart = shown(login("operator"), heap_url(dump)).split("<figure")[1].split("</figure>")[0]
    titles = re.findall(r"<title>(.*?)</title>", chart)
    assert titles[0].startswith("all roots: ")
    assert [title for title in titles if title.startswith("dict of module shop.leaks: ")]
    blocks = re.findall(r'<svg x="([\d.]+)%" y="(\d+)" width="([\d.]+)%" height="28"', chart)
    rows: dict[int, float] = {}
    for x, y, width in blocks:
        assert float(x) + float(width) <= 100.01
        rows[int(y)] = rows.get(int(y), 0.0) + float(width)
    assert rows[0] == 100.0
    assert sorted(rows) == [0, 28, 56, 84, 112]
    assert all(rows[y] <= rows[y - 28] + 0.01 for y in rows if y)


def test_of_a_long_linked_list_the_page_shows_both_ends(login: Login, fleet: Fleet, tmp_path: Path) -> None:
    planted = Planted()
    above = planted.own
    for _ in range(500):
        below = planted.add("shop.leaks.Link", 100)
        planted.refer(above, below, Edge.ATTRIBUTE, "next")
        above = below
    dump = store_content(fleet.process(), planted.write(tmp_path / "linked.heap").read_bytes())
    nodes = heap_analyses.analysis(dump)["dominators"]["nodes"]
    last = min(
        (node for node in nodes.values() if node["type"] == "shop.leaks.Link"), key=lambda node: node["retained"]
    )
    page = shown(login("operator"), f"{heap_url(dump)}?node={last['node']}")
    assert re.search(r"49\d objects in between", page)
    assert 8 <= page.count('href="?node=') < 20


def test_while_it_is_analysed_the_page_says_how_far_that_is(
    login: Login, dump: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = login("operator")
    monkeypatch.setattr(admin, "PATIENCE_S", 0.0)
    page = shown(client, heap_url(dump))
    assert re.search(r"is being analysed: \d+ % done", page)
    assert "recordings.js" in page
    cancel = reverse("admin:memwatch_recording_heap_cancel", args=(dump.pk,))
    assert f'action="{cancel}"' in page
    assert client.get(cancel).status_code == 405
    answer = client.post(cancel, follow=True)
    assert "The analysis was cancelled." in answer.content.decode()
    assert "is not being analysed" in client.post(cancel, follow=True).content.decode()
    until(lambda: heap_runs.reap() == 0)


def test_the_analysis_is_not_cancelled_by_those_who_may_not_dump(login: Login, dump: Recording) -> None:
    cancel = reverse("admin:memwatch_recording_heap_cancel", args=(dump.pk,))
    assert login("viewer").post(cancel).status_code == 403
    Group.objects.get(name=OPERATORS).permissions.remove(Permission.objects.get(codename="dump_heap"))
    assert login("operator").post(cancel).status_code == 403


def test_a_dump_that_is_not_complete_says_so(login: Login, fleet: Fleet, tmp_path: Path) -> None:
    planted = Planted()
    file = planted.write(tmp_path / "part.heap", complete=False)
    page = shown(login("operator"), heap_url(store_content(fleet.process(), file.read_bytes())))
    assert "This dump is not complete" in page


def test_from_a_type_to_its_holder(login: Login, dump: Recording) -> None:
    client = login("operator")
    found = shown(client, f"{heap_url(dump)}?q=quote")
    assert "?type=shop.leaks.Quote" in found
    assert "AuditTrail</span></a>" not in found.split('id="mw-types"')[1]
    page = shown(client, f"{heap_url(dump)}?type=shop.leaks.Quote")
    assert f"{COUNT} objects. Without them 5.9 KB would be free." in page
    assert '<span class="mw-type">shop.leaks.AuditTrail.trail</span>' in page
    assert "attribute 'trail' → list" in page


def test_the_difference_of_two(login: Login, dump: Recording, tmp_path: Path) -> None:
    later = store_dump(dump.process, tmp_path, "attribute_of_an_instance", "set_of_a_module", pid=2, host="a")
    client = login("operator")
    address = f"{heap_url(later)}?against={dump.pk}"
    assert address in shown(client, later.get_absolute_url())
    page = shown(client, address)
    assert "shop.leaks.UNIQUE" in page
    assert f"+{COUNT}" in page


@pytest.mark.parametrize(
    "query", ["?node=99999999", "?node=x", "?type=no.Such", "?q=nothing", "?against=99999999", "?against=x"]
)
def test_odd_addresses_are_pages(login: Login, dump: Recording, query: str) -> None:
    assert login("operator").get(f"{heap_url(dump)}{query}").status_code == 200


def test_hostile_names_are_only_text(login: Login, fleet: Fleet, tmp_path: Path) -> None:
    planted = Planted()
    container = planted.add("list", family=Family.LIST)
    planted.refer(planted.own, container, Edge.GLOBAL, EVIL)
    for _ in range(COUNT):
        planted.refer(container, planted.add(f"shop.{EVIL}"), Edge.INDEX)
    dump = store_content(fleet.process(), planted.write(tmp_path / "evil.heap", service=EVIL).read_bytes())
    client = login("operator")
    for query in ("", f"?q={EVIL}", f"?type=shop.{EVIL}"):
        content = client.get(heap_url(dump), dict([query[1:].split("=", 1)]) if query else {}).content.decode()
        assert EVIL not in content


def test_it_is_closed_to_those_who_may_not_dump_heaps(login: Login, dump: Recording) -> None:
    Group.objects.get(name=OPERATORS).permissions.remove(Permission.objects.get(codename="dump_heap"))
    client = login("operator")
    assert heap_url(dump) not in shown(client, dump.get_absolute_url())
    assert client.get(heap_url(dump)).status_code == 403
    assert login("viewer").get(heap_url(dump)).status_code == 403
    for form in ("heap", "heapsnapshot", "html", "csv"):
        assert client.get(reverse("admin:memwatch_recording_download", args=(dump.pk, form))).status_code == 403


@pytest.mark.parametrize("form", ["heap", "heapsnapshot", "html", "csv"])
def test_it_is_downloaded_in_every_form(login: Login, dump: Recording, form: str) -> None:
    client = login("operator")
    address = reverse("admin:memwatch_recording_download", args=(dump.pk, form))
    assert address in shown(client, dump.get_absolute_url())
    answer: Any = client.get(address)
    assert len(b"".join(answer)) > 100
    assert "attachment" in answer["Content-Disposition"]


def test_a_dump_that_cannot_be_analysed_says_why_on_its_page(login: Login, dump: Recording) -> None:
    with heap_dumps.opened(dump) as file:
        content = file.read()
    cut = store_content(dump.process, content[: len(content) // 2])
    answer = login("operator").get(heap_url(cut), follow=True)
    assert answer.redirect_chain[-1][0] == cut.get_absolute_url()
    assert "he heap dump cannot be analysed" in answer.content.decode()


def test_a_report_that_was_made_is_no_flame_graph_for_those_who_may_not_dump(login: Login, dump: Recording) -> None:
    client = login("operator")
    report: Any = client.get(reverse("admin:memwatch_recording_download", args=(dump.pk, "html")))
    assert b"shop.leaks" in b"".join(report)
    report.close()
    Group.objects.get(name=OPERATORS).permissions.remove(Permission.objects.get(codename="dump_heap"))
    framed = client.get(reverse("admin:memwatch_recording_flamegraph", args=(dump.pk,)))
    assert b"shop.leaks" not in framed.content
    assert b"it is no flame graph" in framed.content
