"""What the site's people made of the leaks that were found, in figures and in a sentence."""

from __future__ import annotations

from datetime import UTC, datetime

from memwatch.detection.confidence.track_record import Finding, summed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def findings(*outcomes: str, probability: float | None = 0.9) -> list[Finding]:
    return [
        Finding(service="web", what="shop.Quote", leak=1, detected_at=NOON, outcome=outcome, probability=probability)
        for outcome in outcomes
    ]


def test_the_sentence_counts_what_was_confirmed_and_dismissed() -> None:
    record = summed(findings(*["confirmed"] * 19, "dismissed"))
    assert record.sentence == "Of the last 20 leaks found here, 19 were confirmed and 1 dismissed."


def test_what_nobody_decided_is_neither() -> None:
    record = summed(findings("confirmed", "over", "open", "dismissed"))
    assert (record.confirmed, record.dismissed, record.over, record.open) == (1, 1, 1, 1)
    assert record.sentence.endswith("1 was confirmed and 1 dismissed; 2 are not decided.")


def test_only_the_last_twenty_count_and_all_are_in_the_levels() -> None:
    record = summed(findings(*["confirmed"] * 20, *["dismissed"] * 10))
    assert (record.found, record.confirmed, record.dismissed) == (20, 20, 0)
    assert [(level.least, level.found, level.dismissed) for level in record.levels if level.found] == [(0.85, 30, 10)]


def test_a_level_has_the_share_of_those_decided() -> None:
    high = findings("confirmed", "confirmed", "open", probability=0.97)
    low = findings("confirmed", "dismissed", probability=0.5)
    levels = {level.least: level for level in summed([*high, *low]).levels}
    assert (levels[0.95].found, levels[0.95].share) == (3, 1.0)
    assert levels[0.0].share == 0.5
    assert levels[0.85].share is None


def test_leaks_without_a_probability_have_a_level_of_their_own() -> None:
    levels = summed(findings("confirmed", probability=None)).levels
    assert (levels[-1].least, levels[-1].confirmed) == (None, 1)


def test_a_site_without_a_leak_says_so() -> None:
    assert summed([]).sentence == "No leak was found here yet."
    assert summed(findings("dismissed")).sentence == "The only leak found here was dismissed."
