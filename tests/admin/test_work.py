"""The page Work: what each view, task and command took and kept, by service, range and name."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from memwatch.admin.work import page
from memwatch.models import Process, WorkName, WorkRollup
from memwatch.queries.work import HOUR, start_of_hour
from memwatch.records.work import COMMAND, VIEW
from tests.admin.conftest import EVIL, Fleet
from tests.services.stored_work import figures, store_work

Login = Callable[..., Client]
SYNC = "shop.tasks.sync_prices"
WORK = "/admin/memwatch/workrollup/"


@pytest.fixture
def worked(fleet: Fleet) -> Process:
    web, worker = fleet.process("web"), fleet.process("worker")
    at = start_of_hour(fleet.now) - 2 * HOUR
    store_work(
        web, at,
        figures("shop:detail", 600, kind=VIEW, kept=0, kept_kib=1, peak_kib=2_048, seconds=0.05, errors=3),
        figures("shop:upload", 2, kind=VIEW, peak_kib=300 * 1024, seconds=4.2, shared=1),
        figures(EVIL, 1, kind=VIEW),
    )  # fmt: skip
    store_work(worker, at, figures(SYNC, 300, kept=2, kept_kib=1), figures("prune", 1, kind=COMMAND, seconds=90))
    return web


def _text(client: Client, url: str = WORK) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    assert b"<script>alert" not in answer.content
    return re.sub(r"\s+", " ", answer.content.decode())


def _row(text: str, name: str) -> list[str]:
    """The cells of the row of this name, without their tags."""
    (row,) = [each for each in re.findall(r"<tr>(.*?)</tr>", text) if f">{escape(name)}</a></th>" in each]
    return [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]


def test_the_page_shows_what_the_calls_of_each_name_took_and_kept(worked: Process, login: Login) -> None:
    text = _text(login("viewer"), f"{WORK}?service__id__exact={worked.service_id}")
    name, kind, _calls, errors, blocks, kib, median, most_of_all, highest, took = _row(text, "shop:detail")[:10]
    assert (name, kind, errors, blocks, kib) == ("shop:detail", "view", "3", "0.00", "1.00")
    # Quantiles come from buckets, exact to 5 %.
    assert (median, most_of_all, highest, took) == ("1.9 MB", "1.9 MB", "2.0 MB", "49.9 ms")
    assert _row(text, "shop:upload")[4:6] == ["—", "—"]
    assert _row(text, "shop:upload")[8:10] == ["300.0 MB", "4.2 s"]
    assert escape(EVIL) in text
    assert SYNC not in text


def test_calls_an_hour_are_of_the_hours_for_which_work_is_known(fleet: Fleet, login: Login) -> None:
    store_work(fleet.process(), start_of_hour(fleet.now) - 2 * HOUR, figures(SYNC, 600))
    hours = 2 + (fleet.now - start_of_hour(fleet.now)) / HOUR
    for query in ("", "?range=7d"):
        rate = float(_row(_text(login(f"somebody{query}", "view_workrollup"), WORK + query), SYNC)[3])
        assert rate == pytest.approx(600 / hours, rel=0.02)


def test_calls_an_hour_are_of_whole_hours_as_the_sums_are(fleet: Fleet, login: Login) -> None:
    base, process = start_of_hour(fleet.now), fleet.process()
    for hours in (5, 2):
        store_work(process, base - hours * HOUR, figures(SYNC, 600))
    query = f"?from={base - 1.5 * HOUR:%Y-%m-%dT%H:%M:%SZ}&to={base:%Y-%m-%dT%H:%M:%SZ}"
    assert _row(_text(login("viewer"), WORK + query), SYNC)[3] == "300"


def test_calls_that_ran_beside_others_are_marked(worked: Process, login: Login) -> None:
    text = _text(login("viewer"))
    assert "50.0 % shared" in _row(text, "shop:upload")[3]
    assert "shared" not in _row(text, "shop:detail")[3]
    assert "cannot separate their memory" in text


def test_all_services_are_shown_together_unless_one_is_chosen(worked: Process, login: Login) -> None:
    client = login("viewer")
    assert (_row(_text(client), SYNC)[1], _row(_text(client), "shop:detail")[1]) == ("worker", "web")
    other = Process.objects.get(service__name="worker").service_id
    chosen = _text(client, f"{WORK}?service__id__exact={other}")
    assert _row(chosen, SYNC)[1] == "task"
    assert "shop:detail" not in chosen


def test_rows_are_found_by_words_of_the_name_and_by_kind(worked: Process, login: Login) -> None:
    client = login("viewer")
    found = _text(client, f"{WORK}?q=SYNC+tasks")
    assert _row(found, SYNC)
    assert "shop:detail" not in found
    assert "prune" not in _text(client, f"{WORK}?kind=view")
    nothing = _text(client, f"{WORK}?q={quote(EVIL)}x")
    assert "No view, task or command with these properties" in nothing
    assert f'value="{escape(EVIL)}x"' in nothing


def test_links_to_other_ranges_keep_the_service_and_the_words(worked: Process, login: Login) -> None:
    text = _text(login("viewer"), f"{WORK}?service__id__exact={worked.service_id}&q=shop&range=7d")
    assert f'href="?service__id__exact={worked.service_id}&amp;q=shop&amp;range=1h"' in text
    assert '<input type="hidden" name="range" value="7d">' in text
    assert '<input type="hidden" name="q" value="shop">' in text


def test_the_highest_peak_links_to_the_process_where_it_was(worked: Process, login: Login) -> None:
    address = reverse("admin:memwatch_process_change", args=(worked.pk,))
    assert re.search(rf'<a href="{address}" title="[^"]+">300.0 MB</a>', _text(login("viewer")))


def test_a_range_without_work_and_a_site_without_any_say_what_to_do(fleet: Fleet, login: Login) -> None:
    client = login("viewer")
    assert "No process has reported a view, task or command yet" in _text(client)
    store_work(fleet.process(), fleet.now - timedelta(hours=40), figures(SYNC))
    assert "Choose a longer range above" in _text(client)
    assert _row(_text(client, f"{WORK}?range=7d"), SYNC)


@pytest.mark.parametrize(
    "query",
    [
        "service__id__exact=web", "service__id__exact=999999999999", "kind=job", "range=1y", "from=yesterday",
        "from=2026-01-02&to=2026-01-01", f"q={'x' * 5000}",
    ],
)  # fmt: skip
def test_odd_addresses_get_a_page(query: str, worked: Process, login: Login) -> None:
    _text(login("viewer"), f"{WORK}?{query}")


def test_an_address_with_a_nul_is_refused(worked: Process, login: Login) -> None:
    assert login("viewer").get(f"{WORK}?q=%00").status_code == 400


def test_work_is_for_those_who_may_view_it_and_for_nothing_but_looking(worked: Process, login: Login) -> None:
    assert Client().get(WORK).status_code == 302
    assert login("staff").get(WORK).status_code == 403
    assert login("somebody", "view_service", "view_process").get(WORK).status_code == 403
    assert login("root").post(WORK, {"action": "delete_selected"}).status_code == 405


def test_the_sidebar_does_not_list_work_and_other_pages_lead_to_it(fleet: Fleet, worked: Process, login: Login) -> None:
    leak = fleet.leak(worked)
    client = login("viewer")
    assert f'href="{WORK}"' not in _text(client, reverse("admin:memwatch_recording_changelist"))
    assert f'href="{WORK}"' in _text(client, "/admin/")
    ours = f'href="{WORK}?service__id__exact={worked.service_id}"'
    for row in (worked.service, worked, leak):
        assert ours in _text(client, reverse(f"admin:memwatch_{row._meta.model_name}_change", args=(row.pk,)))
    for model in ("overview", "operations"):
        assert f'href="{WORK}"' in _text(client, reverse(f"admin:memwatch_{model}_changelist"))
    without = login("somebody", "view_service", "view_process", "view_leak")
    assert WORK not in _text(without, reverse("admin:memwatch_overview_changelist"))
    assert WORK not in _text(without, reverse("admin:memwatch_service_change", args=(worked.service_id,)))


def test_the_page_of_a_name_shows_it_by_service(worked: Process, login: Login) -> None:
    store_work(worked, start_of_hour(worked.last_seen_at) - HOUR, figures(SYNC, 5))
    name = WorkName.objects.get(name=SYNC)
    text = _text(login("viewer"), reverse("admin:memwatch_workname_change", args=(name.pk,)))
    for service in ("web", "worker"):
        pk = Process.objects.get(service__name=service).service_id
        assert f'<a href="{WORK}?service__id__exact={pk}&amp;q={SYNC}">{service}</a>' in text


def test_the_page_of_an_hour_shows_its_figures_and_leads_to_the_work_of_that_time(
    worked: Process, login: Login
) -> None:
    row = WorkRollup.objects.get(work__name="shop:upload", period="hour")
    text = _text(login("viewer"), reverse("admin:memwatch_workrollup_change", args=(row.pk,)))
    assert "An hour of shop:upload" in text
    assert "300.0 MB" in text
    assert f"{WORK}?service__id__exact={worked.service_id}&amp;from={row.start:%Y-%m-%dT%H}%3A00" in text


def test_the_page_takes_as_many_queries_for_many_names_as_for_one(
    fleet: Fleet, worked: Process, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = login("viewer")
    with CaptureQueriesContext(connection) as few:
        _text(client)
    monkeypatch.setattr(page, "SHOWN", 50)
    for hours in (3, 4):
        at = start_of_hour(fleet.now) - hours * HOUR
        store_work(worked, at, *(figures(f"task_{number}", 9, peak_kib=9) for number in range(60)))
    with CaptureQueriesContext(connection) as many:
        text = _text(client)
    assert len(few) == len(many) <= 10
    assert "15 more names had fewer calls" in text
