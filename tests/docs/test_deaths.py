"""The page about deaths names each reason as the admin shows it, and the kinds of ends as the code has them."""

from __future__ import annotations

import re
from pathlib import Path

from memwatch.admin.deaths.words import REASONS
from memwatch.detection.deaths import KILLED
from memwatch.models import Process

PAGE = Path(__file__).resolve().parents[2] / "docs" / "deaths.md"
ROWS = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE))


def test_each_reason_is_explained_by_the_word_on_its_badge() -> None:
    assert {reason: str(word) for reason, (word, _severity) in REASONS.items()} == ROWS


def test_those_that_raise_the_alert_come_first_then_the_other_deaths() -> None:
    assert {*list(ROWS)[:5]} == {*KILLED}
    assert {*list(ROWS)[:8]} == {*Process.DEATHS}
