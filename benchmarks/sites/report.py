"""The results as a table, the scoring half apart from the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.sites.recipes import SITES
from benchmarks.sites.scoring import GROWTH_WITHIN, HELD_LIMIT_MS, NAMED_WITHIN
from benchmarks.sites.truth import LEAKS, NONE, UNWATCHED, scoring

HEAD = ("site", "leak", "grows", "named", "holder", "line", "beside", "false", "held ms")


def tables(results: Sequence[dict[str, Any]]) -> str:
    """All of it, as Markdown."""
    half = scoring(SITES)
    parts = []
    for title, wanted in (("Scoring half", True), ("Tuning half", False)):
        rows = [each for each in results if each["leak"] in LEAKS and ((each["site"], each["leak"]) in half) == wanted]
        if rows:
            parts += [f"**{title}**", _table(HEAD, map(_row, rows)), summary(rows)]
    costs = [each for each in results if each["leak"] in (NONE, UNWATCHED)]
    if costs:
        head = ("site", "run", "objects", "RSS MB", "CPU %", "CPU ms a request", "median ms", "grow", "false")
        parts += ["**Without a leak**", _table(head, map(_cost, costs))]
    return "\n\n".join(parts)


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """How many were right."""
    held = [(each["recording"] or {}).get("held_ms") for each in rows]
    return (
        f"{len(rows)} runs: growth said within {GROWTH_WITHIN} intervals {_of(rows, 'growth_after', GROWTH_WITHIN)}, "
        f"named within {NAMED_WITHIN} {_of(rows, 'named_after', NAMED_WITHIN)}, "
        f"holder right {sum(bool(each.get('holder')) for each in rows)}, "
        f"stated wrongly {sum(bool(each.get('wrong_holder')) for each in rows)}, "
        f"line right {sum(bool(each.get('line')) for each in rows)}, "
        f"false verdicts {sum(len(each['false_verdicts']) for each in rows)}, "
        f"requests held for more than {HELD_LIMIT_MS:g} ms {sum((each or 0) > HELD_LIMIT_MS for each in held)}"
    )


def _of(rows: Sequence[dict[str, Any]], name: str, limit: float) -> int:
    return sum(each[name] is not None and each[name] <= limit for each in rows)


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    recording = each["recording"] or {}
    holder = "right" if each.get("holder") else "WRONG" if each.get("wrong_holder") else "-"
    return (
        each["site"], each["leak"], _figure(each["growth_after"]), _figure(each["named_after"]), holder,
        "right" if each.get("line") else "-", str(len(each["besides"])), str(len(each["false_verdicts"])),
        "refused" if recording.get("refused") else _figure(recording.get("held_ms")),
    )  # fmt: skip


def _cost(each: dict[str, Any]) -> tuple[str, ...]:
    return (
        each["site"], each["leak"], _figure(each["objects"]["objects"]), _figure(each["worker_rss_mb"]),
        _figure(each["worker_cpu_percent"]), _figure(each["worker_cpu_ms_per_request"]), _figure(each["median_ms"]),
        str(sum(row["source"] == "processes" for row in each["told"])), str(len(each["false_verdicts"])),
    )  # fmt: skip


def _figure(value: float | None) -> str:
    return "never" if value is None else f"{value:,.1f}".removesuffix(".0")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
