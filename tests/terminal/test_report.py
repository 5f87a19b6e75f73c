from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.utils import timezone

from memwatch.models import Leak
from tests.api.rows import store_leak
from tests.services.stored import store_process
from tests.terminal.conftest import Ran

EVIL = "shop.<script>alert(1)</script>*Quote*"


@pytest.fixture
def leaks(db: None) -> list[Leak]:
    web, worker = store_process("web"), store_process("worker")
    evidence = {
        "grows_with": ["dict", "list"],
        "container": {"description": "shop.leaks.QUOTES, a dict of 4,500 PriceQuote"},
    }
    return [
        store_leak(worker, "shop.models.Customer", severity="low", verdict="Customer grows."),
        store_leak(web, severity="critical", evidence=evidence, last_seen_at=timezone.now()),
        store_leak(web, "shop.Old", state="resolved"),
    ]


def test_open_leaks_are_told_the_worst_first(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    said = run("memwatch_report").out
    assert said.startswith("2 leaks in 2 processes of 2 services\n")
    assert said.index("critical: shop.leaks.PriceQuote in web-1 on a") < said.index("low: shop.models.Customer")
    assert "held in: shop.leaks.QUOTES, a dict of 4,500 PriceQuote" in said
    assert "grows with it: dict, list" in said
    assert "memory runs out in: 2 h" in said
    assert "shop.Old" not in said


def test_closed_leaks_are_reported_on_request(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    assert "shop.Old" in run("memwatch_report", "--all").out
    only = run("memwatch_report", str(leaks[2].pk), "--format", "json").out
    assert [leak["object_type"] for leak in json.loads(only)["leaks"]] == ["shop.Old"]


def test_a_pipeline_can_fail_on_a_severity(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    assert run("memwatch_report").code == 0
    assert run("memwatch_report", "--fail-on", "critical").code == 2
    assert run("memwatch_report", "--fail-on", "high", "--service", "worker").code == 0


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_the_names_of_the_hosts_classes_are_no_markup(run: Callable[..., Ran], form: str) -> None:
    store_leak(store_process(), EVIL, verdict=f"{EVIL} grows.")
    said = run("memwatch_report", "--format", form).out
    assert "<script>" not in said
    assert "&lt;script&gt;" in said
    if form == "markdown":
        assert r"\*Quote\*" in said


def test_a_report_is_written_to_a_file(run: Callable[..., Ran], leaks: list[Leak], tmp_path: Path) -> None:
    path = tmp_path / "leaks.html"
    ran = run("memwatch_report", "--format", "html", "--output", str(path))
    assert ran.out == ""
    assert "written to" in ran.err
    assert "shop.leaks.PriceQuote" in path.read_text()
    assert "http" not in path.read_text().replace("http-equiv", "")


def test_what_cannot_be_written_or_is_not_there_is_said(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        run("memwatch_report", "--output", "/nowhere/leaks.txt")
    with pytest.raises(CommandError, match="There is no leak 999999"):
        run("memwatch_report", "999999")


def test_without_leaks_it_says_so(run: Callable[..., Ran]) -> None:
    assert run("memwatch_report").out == "No leaks in 0 processes of 0 services\n"
