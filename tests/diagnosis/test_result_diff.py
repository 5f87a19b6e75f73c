"""Two results of a kind, side by side."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memwatch.diagnosis.result_diff import difference


def types(**counts: int) -> dict[str, Any]:
    return {"types": [{"type": name, "count": count, "size_kb": count / 2} for name, count in counts.items()]}


def test_what_changed_most_comes_first_and_what_did_not_is_left_out() -> None:
    found = difference("heap_summary", types(same=5, grown=10, gone=3), types(same=5, grown=30, new=1))
    rows = found["tables"]["types"]
    assert [row["type"] for row in rows] == ["grown", "gone", "new"]
    assert rows[0]["count"] == {"before": 10, "after": 30, "change": 20}
    assert rows[1]["size_kb"] == {"before": 1.5, "after": 0, "change": -1.5}
    json.dumps(found)


def test_a_chain_keeps_its_place_although_its_container_has_grown() -> None:
    def result(entries: int) -> dict[str, Any]:
        path = [f"shop.QUOTES (dict, {entries:,} entries)", "shop.Quote"]
        return {
            "instances": entries,
            "holder": {"length": entries, "retained_kb": entries * 0.5},
            "chains": [{"path": path, "root": "module shop", "count": entries}],
        }

    found = difference("referrers", result(1), result(20_001))
    (chain,) = difference("referrers", result(2), result(20_001))["tables"]["chains"]
    assert chain["count"]["change"] == 19_999
    assert chain["path"] == ["shop.QUOTES (dict)", "shop.Quote"]
    assert found["figures"]["instances"]["change"] == 20_000
    assert found["figures"]["holder.retained_kb"]["change"] == 10_000


def test_results_with_holes_can_be_compared() -> None:
    for kind in ("referrers", "allocations", "heap_summary"):
        found = difference(kind, {}, {"holder": None, "sites": None})
        assert all(rows == [] for rows in found["tables"].values())


def test_flame_graphs_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        difference("flamegraph", {}, {})
