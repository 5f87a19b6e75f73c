"""Figures as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from memwatch.admin import formats

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
        (2 * 86400, "2 days"),
        (2 * 86400 + 4 * 3600, "2 d 4 h"),
        (400 * 86400, "400 days"),
        (None, "—"),
    ],
)
def test_a_duration_is_told_in_two_units_at_most(seconds: float | None, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.0 MB"), (1.25, "1.2 MB"), (1234.56, "1,234.6 MB"), (20_480, "20.0 GB"), (None, "—")],
)
def test_a_size_has_one_decimal_and_separators(value: float | None, text: str) -> None:
    assert formats.megabytes(value) == text


def test_growth_has_a_sign() -> None:
    assert formats.signed_count(12_345) == "+12,345"
    assert formats.signed_count(-12) == "-12"
    assert formats.signed_count(0) == "0"
    assert formats.signed_megabytes(1.5) == "+1.5 MB"
    assert [formats.signed_took(each) for each in (0.5, 4.25, -4.25, 720, None)] == [
        "+500.0 ms", "+4.2 s", "-4.2 s", "+12 min", formats.NOT_MEASURED,
    ]  # fmt: skip
    assert formats.signed_percent(-3.25) == "-3.2 %"


def test_what_was_not_measured_is_never_zero() -> None:
    shown = [formats.count(None), formats.percent(None), formats.kib(None), formats.when(None), formats.decimal(None)]
    assert set(shown) == {formats.NOT_MEASURED}


def test_an_age_is_relative_with_the_exact_time_on_hover() -> None:
    shown = formats.when(NOW - timedelta(minutes=3), NOW)
    assert "3 min ago" in shown
    assert "2026-03-01 11:57:00 UTC" in shown
    assert formats.age(NOW + timedelta(hours=2), NOW) == "in 2 h"
    assert formats.age(NOW, NOW) == "just now"


def test_a_leak_counts_in_its_own_unit() -> None:
    assert formats.leak_growth("objects", 4_000) == "+4,000"
    assert formats.leak_growth("untracked", 4_000) == "+4,000 blocks"
    assert formats.leak_growth("untracked", 4_000, "entries") == "+4,000 entries"
    assert formats.leak_growth("native", 2048) == "+2.0 MB"


def test_a_long_message_is_cut_after_its_first_sentence_only() -> None:
    text = "shop-1 on vm: shop.leaks.X leaks, grown by 1.5 %. It rises. Open it."
    assert formats.first_sentence(text) == "shop-1 on vm: shop.leaks.X leaks, grown by 1.5 %."
    assert formats.first_sentence("No end") == "No end."


def test_a_hostile_type_name_is_harmless() -> None:
    assert "<script>" not in formats.type_name("<script>alert(1)</script>")
    assert "<script>" not in formats.badge("x", "y", "<script>")
