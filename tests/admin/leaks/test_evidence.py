"""What a leak's page says of why it is one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memwatch.admin.leaks import evidence, tables
from memwatch.models import Leak

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

FRAGMENTS = {
    "rule": "all",
    "window": "hour",
    "grows_with": [],
    "statistics": {
        "unit": "entries",
        "points": 38,
        "span_s": 222.0,
        "gate": "memory",
        "shape": "line",
        "harmless_shape": "plateau",
        "leak_probability": 0.941854,
        "late_share": 0.985842,
        "limit_source": "host",
        "floor_growth_percent_per_hour": 426.87,
        "floor_of": "heap_used_mb",
    },
    "container": {
        "type": "list", "length": 12_100, "holds": "str", "token": 7, "name": "shop.leaks.FRAGMENTS",
        "entry_bytes": 571.8,
    },
    "follow_up": {"window": "hour"},
}  # fmt: skip


def _leak(**values: Any) -> Leak:
    made = {
        "kind": "untracked",
        "object_type": "untracked",
        "severity": "high",
        "detected_at": NOW,
        "last_seen_at": NOW,
        "started_at": NOW - timedelta(minutes=4),
        "initial_count": 1_260,
        "current_count": 12_100,
        "growth_count": 10_840,
        "growth_percent": 860.3,
        "growth_per_hour": 176_496.8,
        "time_to_exhaustion_s": 494_000.0,
        "evidence": FRAGMENTS,
        **values,
    }
    return Leak(**made)


def test_a_leak_is_explained_by_what_was_seen() -> None:
    said = {str(line.label): f"{line.value} ({line.hint})" for line in evidence.readable(_leak(), NOW)}
    held, hint = evidence.held(_leak())
    assert "shop.leaks.FRAGMENTS" in held
    assert hint == "12,100 entries, mostly str, about 572 bytes each"
    assert said["Limit"].startswith("the host's memory is exhausted in 5 d 17 h")
    assert evidence.memory_rate(_leak()).startswith("the lowest points of its heap in use rise by +426.9 % an hour")
    assert said["Data judged"] == "38 points over 3 min (in the snapshots of the last hour)"
    assert evidence.grows_with(_leak()) == ""
    assert "Since then" not in said


def test_what_grows_is_named_by_its_type() -> None:
    leak = _leak(kind="objects", object_type="shop.X")
    assert evidence.what_grows(leak) == 'Objects of the type <span class="mw-type">shop.X</span>'


def test_that_it_stopped_growing_is_said() -> None:
    quiet = {"follow_up": {"quiet_since": (NOW - timedelta(minutes=5)).isoformat()}}
    said = {str(line.label): line.value for line in evidence.readable(_leak(evidence=quiet), NOW)}
    assert "5 min ago" in said["Since then"]


@pytest.mark.parametrize(
    "kept",
    [
        None,
        [],
        {},
        "text",
        {"statistics": 3, "container": "x", "grows_with": "abc", "follow_up": {"quiet_since": "yesterday"}},
        {"statistics": {"points": "many", "unit": 5, "gate": [], "floor_of": {}}, "rule": None, "window": []},
    ],
)
def test_evidence_of_any_shape_gives_a_page(kept: Any) -> None:
    leak = _leak(evidence=kept, time_to_exhaustion_s=3_600.0)
    assert "Limit" in {str(line.label) for line in evidence.readable(leak, NOW)}
    assert evidence.amount(leak, leak.current_count).startswith("12,100")


def test_hostile_names_in_the_evidence_are_harmless() -> None:
    hostile = {"container": {"type": "<b>", "name": "<script>x</script>", "holds": "<i>"}, "grows_with": ["<u>"]}
    leak = _leak(evidence=hostile, kind="objects", object_type="<script>")
    for text in (evidence.what_grows(leak), evidence.held(leak)[0]):
        assert hasattr(text, "__html__")
        assert "<script>" not in text
        assert "<b>" not in text


def test_the_statistics_have_their_own_names_and_long_series_are_left_out() -> None:
    lines = evidence.statistics_lines(
        {
            "rule": "trend",
            "statistics": {"mann_kendall_p": 0.00001, "late": None, "deep": {"tau": 0.98}},
            "series": list(range(500)),
            "grows_with": ["dict", "cell"],
            "is_new": True,
        }
    )
    assert [(line.label, line.value) for line in lines] == [
        ("rule", "trend"),
        ("statistics: mann kendall p", "1e-05"),
        ("statistics: late", "not measured"),
        ("statistics: deep: tau", "0.98"),
        ("grows with", "dict, cell"),
        ("is new", "yes"),
    ]


def test_a_leak_without_a_type_is_named_by_its_kind() -> None:
    assert evidence.name_of(_leak()) == "untracked objects"
    assert evidence.name_of(_leak(kind="objects", object_type="shop.X")) == "shop.X"
    assert evidence.held_in(_leak()) == "shop.leaks.FRAGMENTS"


def test_the_same_leak_in_several_processes_stays_together_and_the_worst_is_first() -> None:
    def found(name: str, severity: str, left: float) -> Leak:
        values = {"kind": "objects", "object_type": name, "severity": severity, "time_to_exhaustion_s": left}
        return _leak(service_id=1, evidence={}, **values)

    leaks = [
        found("a", "medium", 90.0), found("b", "high", 50.0), found("a", "high", 40.0), found("c", "critical", 99.0),
        found("b", "low", 10.0),
    ]  # fmt: skip
    order = [(leak.object_type, leak.severity) for leak in tables.worst_first(leaks)]
    assert order == [("c", "critical"), ("a", "high"), ("a", "medium"), ("b", "high"), ("b", "low")]
