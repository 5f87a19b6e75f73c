"""Every alert has a page that somebody who was woken can work through."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memwatch.admin.runbooks import OF_ALERTS
from memwatch.models import Alert
from tests.docs.blocks import blocks_of_page
from tests.monitoring.files import RUNBOOKS, alerts

SECTIONS = ("What to look at", "What to do", "When it is over")

each_page = pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)


@each_page
def test_a_runbook_says_what_it_means_what_to_look_at_what_to_do_and_when_it_is_over(page: Path) -> None:
    title, *parts = re.split(r"^##? (.+)\n", page.read_text(), flags=re.MULTILINE)[1:]
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert title == page.stem
    assert len(parts[0].split()) >= 15, "the meaning"
    assert tuple(sections)[:3] == SECTIONS
    assert all(len(sections[name].split()) >= 10 for name in SECTIONS)


@each_page
def test_a_runbook_has_something_to_type(page: Path) -> None:
    assert {block.language for block in blocks_of_page(page)} & {"promql", "console"}


@each_page
def test_a_runbook_names_the_severities_of_its_alerts(page: Path) -> None:
    text = page.read_text().lower()
    assert all(alert.severity in text for alert in alerts() if alert.name == page.stem)


def test_every_alert_of_memwatchs_own_has_a_runbook_too() -> None:
    assert set(OF_ALERTS) == set(Alert.Type)
    assert all((RUNBOOKS / f"{name}.md").is_file() for name in OF_ALERTS.values())
