"""Which stretch of time a page shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from django.utils import timezone

from memwatch.admin import formats, time_ranges

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRST = NOW - timedelta(days=30)


def _asked(**values: str) -> time_ranges.TimeRange:
    return time_ranges.asked({key.rstrip("_"): value for key, value in values.items()}, now=NOW, first=FIRST)


def test_a_range_is_said_by_name_or_by_two_times_and_its_url_leads_to_it_again() -> None:
    assert _asked(range="24h").since == NOW - timedelta(hours=24)
    assert _asked(range="all").since == FIRST
    between = _asked(from_="2026-02-20T10:00:00Z", to="2026-02-20T11:00:00Z")
    assert (between.until - between.since, between.key) == (timedelta(hours=1), "")
    query = dict(each.split("=") for each in between.query.replace("%3A", ":").replace("%2B", "+").split("&"))
    assert _asked(**query) == between


def test_a_page_may_have_another_usual_range_and_parameters_that_its_links_keep() -> None:
    shown = time_ranges.asked({}, now=NOW, first=FIRST, usual="24h", kept={"q": "a&b"})
    assert (shown.key, shown.since) == ("24h", NOW - timedelta(hours=24))
    assert time_ranges.asked({"range": "x"}, now=NOW, first=FIRST, usual="24h").key == "24h"
    for link in (*shown.links, *shown.moves):
        assert parse_qs(link["query"].removeprefix("?"))["q"] == ["a&b"]


def test_times_without_a_zone_are_the_zone_of_the_page() -> None:
    with timezone.override("Europe/Berlin"):
        between = _asked(from_="2026-02-20T10:00", to="2026-02-20T11:00")
        assert between.since == datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
        assert between.since_local == "2026-02-20T10:00:00"


def test_what_is_younger_than_the_range_is_shown_whole() -> None:
    young = time_ranges.asked({}, now=NOW, first=NOW - timedelta(minutes=9))
    assert (young.since, young.key) == (NOW - timedelta(minutes=9), "6h")


def test_the_last_hours_of_what_has_ended_are_those_before_its_end() -> None:
    end = NOW - timedelta(days=3)
    assert time_ranges.asked({"range": "1h"}, now=NOW, first=FIRST, last=end).until == end


@pytest.mark.parametrize(
    "query",
    [
        {"range": "<script>"},
        {"from": "2026-02-20T11:00:00Z", "to": "2026-02-20T10:00:00Z"},
        {"from": "yesterday"},
        {"to": "0001-01-01T00:00:00+14:00"},
        {"to": "\x00"},
        {"from": "2099-01-01", "to": "2099-02-01"},
        {"from": "1990-01-01", "to": "1991-01-01"},
        {"from": "1999-12-31T00:00:00Z", "to": "2000-01-01T00:00:00Z"},
    ],
)
def test_a_range_that_makes_no_sense_is_the_usual_one_with_the_problem_named(query: dict[str, str]) -> None:
    found = time_ranges.asked(query, now=NOW, first=FIRST)
    assert (found.key, found.until) == ("6h", NOW)
    assert found.problem


def test_a_sparkline_draws_noise_as_noise_and_says_what_it_shows() -> None:
    flat = formats.sparkline([100.0, 101.0, 100.0], "<RSS>")
    ys = [float(spot.split(",")[1]) for spot in flat.split('points="')[1].split('"')[0].split()]
    assert max(ys) - min(ys) < 2
    assert "&lt;RSS&gt;" in flat
    assert formats.sparkline([1.0], "") == ""
    assert "polyline" in formats.sparkline([0.0, 0.0], "nothing")


def test_one_can_look_before_after_and_around() -> None:
    chosen = time_ranges.asked(
        {"from": "2026-03-01T10:00:00Z", "to": "2026-03-01T11:00:00Z"}, now=NOW, first=NOW - timedelta(days=3)
    )
    found = {each["label"]: parse_qs(each["query"].removeprefix("?")) for each in chosen.moves}
    assert found["← earlier"] == {"from": ["2026-03-01T09:00:00Z"], "to": ["2026-03-01T10:00:00Z"]}
    assert found["later →"] == {"from": ["2026-03-01T11:00:00Z"], "to": ["2026-03-01T12:00:00Z"]}
    assert found["zoom out"] == {"from": ["2026-03-01T09:30:00Z"], "to": ["2026-03-01T11:30:00Z"]}
    newest = time_ranges.asked({"range": "6h"}, now=NOW, first=NOW - timedelta(days=3))
    assert [each["label"] for each in newest.moves] == ["← earlier", "zoom out"]
    ancient = time_ranges.asked({"from": "2000-01-01T00:00Z", "to": "2026-03-01T00:00Z"}, now=NOW, first=NOW)
    assert [each["label"] for each in ancient.moves] == ["later →"]
