"""The step "Which job makes it grow?" of a leak's page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from memwatch.models import Leak
from tests.admin.conftest import EVIL, Fleet
from tests.services.recorded import store_recording

Login = Callable[..., Client]
SYNC = {"kind": "task", "name": "shop.tasks.sync_prices"}
FIGURES = {"per_call": 2.0, "low": 1.9, "high": 2.1, "share": 0.97, "source": "regression"}
SENTENCE = "shop.tasks.sync_prices: 2.0 objects a call (1.9 to 2.1), explains 97 % of the growth."
MADE = [{**SYNC, "count": 20, "calls": 10}, {"kind": "view", "name": EVIL, "count": 3, "calls": 1}]


def _leak(fleet: Fleet, work: Any, **values: Any) -> Leak:
    return fleet.leak(fleet.process(slot=Leak.objects.count() + 1), evidence={"rule": "trend", "work": work}, **values)


def _step(client: Client, leak: Leak) -> str:
    answer = client.get(reverse("admin:memwatch_leak_change", args=(leak.pk,)))
    assert answer.status_code == 200
    assert b"<script>alert" not in answer.content
    (found,) = re.findall(r'<li class="mw-step[^>]*id="step-work">(.*?)\n    </li>', answer.content.decode(), re.DOTALL)
    return re.sub(r"\s+", " ", found)


def test_the_job_is_named_with_its_growth_interval_share_and_how_it_was_found(fleet: Fleet, login: Login) -> None:
    leak = _leak(fleet, {"culprits": [{"works": [SYNC], **FIGURES}], "remark": "", "sentence": SENTENCE})
    text = _step(login("viewer"), leak)
    assert SENTENCE in text
    work = f"{reverse('admin:memwatch_workrollup_changelist')}?service__id__exact={leak.service_id}"
    assert f'<a class="mw-type" href="{work}&amp;q={SYNC["name"]}">{SYNC["name"]}</a>' in text
    for shown in ("Objects per call", ">2.00<", ">1.90 to 2.10<", "97.0 % <svg", "grows with the number of its calls"):
        assert shown in text
    assert "not measured yet" not in text


def test_names_that_always_run_together_are_one_row_that_says_so(fleet: Fleet, login: Login) -> None:
    works = [SYNC, {"kind": "view", "name": EVIL}]
    text = _step(login("viewer"), _leak(fleet, {"culprits": [{"works": works, **FIGURES}], "sentence": "x."}))
    assert len(re.findall(r'<th scope="row">', text)) == 1
    assert SYNC["name"] in text
    assert escape(EVIL) in text
    assert "memwatch cannot say which of them it is" in text


def test_where_every_job_adds_as_much_the_row_leads_to_all_jobs_of_the_kind(fleet: Fleet, login: Login) -> None:
    sentence = "Every task, whatever its name: 1.00 objects a call (0.99 to 1.01), explains 97 % of the growth."
    work = {"culprits": [{"works": [{"kind": "task", "name": "(every)"}], **FIGURES}], "remark": "every"}
    leak = _leak(fleet, {**work, "sentence": sentence})
    text = _step(login("viewer"), leak)
    assert sentence in text
    page = f"{reverse('admin:memwatch_workrollup_changelist')}?service__id__exact={leak.service_id}&amp;kind=task"
    assert f'<a class="mw-type" href="{page}">(every)</a>' in text
    assert "no single one is the cause" in text
    assert "not measured yet" not in text


def test_growth_that_no_job_explains_is_said_in_a_sentence_without_a_table(fleet: Fleet, login: Login) -> None:
    sentence = "No view, task or command explains the growth. It grows with time: look for a timer."
    text = _step(login("viewer"), _leak(fleet, {"culprits": [], "remark": "time", "sentence": sentence}))
    assert sentence in text
    assert "<table" not in text
    assert "not measured yet" not in text


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (None, "has not compared the growth with the calls"),
        ({"culprits": [], "remark": "few", "sentence": "There are too few snapshots yet."}, "too few snapshots yet"),
    ],
)
def test_what_is_not_known_yet_is_marked_and_can_be_recorded(work: Any, said: str, fleet: Fleet, login: Login) -> None:
    text = _step(login("operator"), _leak(fleet, work))
    assert said in text
    assert "not measured yet" in text
    assert 'data-act="record-referrers"' in text
    assert 'data-act="record-referrers"' not in _step(login("root"), _leak(fleet, work, kind="native"))


@pytest.mark.parametrize(
    ("values", "unit"),
    [({"kind": "native"}, "KB per call"), ({"kind": "untracked"}, "Blocks per call"), ({}, "Objects per call")],
)
def test_the_growth_of_a_call_is_in_the_unit_of_the_leak(
    values: dict[str, str], unit: str, fleet: Fleet, login: Login
) -> None:
    leak = _leak(fleet, {"culprits": [{"works": [SYNC], **FIGURES}]}, **values)
    assert unit in _step(login("viewer"), leak)


def test_untracked_objects_in_a_named_container_are_its_entries(fleet: Fleet, login: Login) -> None:
    leak = _leak(fleet, {"culprits": [{"works": [SYNC], **FIGURES}]}, kind="untracked")
    leak.evidence["container"] = {"type": "list", "name": "shop.leaks.PARTS"}
    leak.save()
    assert "Entries per call" in _step(login("viewer"), leak)


def test_what_a_recording_saw_is_shown_beside_the_verdict_or_instead_of_it(fleet: Fleet, login: Login) -> None:
    client = login("viewer")
    for work in ({"culprits": [{"works": [SYNC], **FIGURES}], "sentence": SENTENCE}, None):
        leak = _leak(fleet, work)
        assert leak.process is not None
        store_recording(leak.process, leak=leak, result={"made_in": MADE})
        text = _step(client, leak)
        assert re.search(r"20 objects made in 10 calls of the task <a [^>]*>shop.tasks.sync_prices</a>", text)
        assert re.search(rf"3 objects made in 1 call of the view <a [^>]*>{re.escape(escape(EVIL))}</a>", text)
        assert "not measured yet" not in text


@pytest.mark.parametrize("work", ["x", {"culprits": {}}, {"culprits": [{"works": [SYNC]}]}, {"sentence": EVIL}])
def test_evidence_of_another_shape_gets_a_page(work: Any, fleet: Fleet, login: Login) -> None:
    _step(login("viewer"), _leak(fleet, work))


def test_a_recording_s_page_says_in_which_job_the_objects_were_made(fleet: Fleet, login: Login) -> None:
    recording = store_recording(fleet.process(), result={"instances": 23, "made_in": MADE})
    text = login("viewer").get(reverse("admin:memwatch_recording_change", args=(recording.pk,))).content.decode()
    assert "In which job they are made" in text
    assert re.search(rf"q={SYNC['name']}\">{SYNC['name']}</a></th><td>task</td><td[^>]*>20</td><td[^>]*>10</td>", text)
    assert "<script>alert" not in text
    without = store_recording(fleet.process(slot=2), result={"instances": 23, "made_in": []})
    page = login("root").get(reverse("admin:memwatch_recording_change", args=(without.pk,)))
    assert "In which job they are made" not in page.content.decode()
