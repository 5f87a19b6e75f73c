"""What a recording of referrers says about garbage and bounds, in sentences. An agent may have sent anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORTH_SAYING, NEARLY_ALL, FULL = 0.05, 0.9, 0.98
_MINUTE = 60.0
_NO_LEAK = "Not a leak."


def finding(result: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    """Garbage first, then the bound; empty where there is nothing to say. ``holder``: the likeliest."""
    return " ".join(filter(None, (_garbage(_row(result, "garbage"), holder), _bound(_row(holder, "bound"), holder))))


def acquits(result: Mapping[str, Any], holder: Mapping[str, Any]) -> bool:
    """Whether the heap shows that it is no leak: garbage that will be collected, or a cache on its way to its bound."""
    bound, garbage = _row(holder, "bound"), _row(result, "garbage")
    if bound.get("explains") is True and bound.get("own") is not False and bound.get("fits") is not False:
        return True
    return garbage.get("collects") is not False and _garbage(garbage, holder).endswith(_NO_LEAK)


def _garbage(found: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    count, of = _number(found, "count"), _number(found, "of")
    if found.get("count") is None or of <= 0 or count / of < WORTH_SAYING:
        return ""
    part = f"{min(1.0, count / of):.0%}".replace("%", " %") + " of them are garbage"
    if found.get("collects") is False:
        thresholds = found.get("thresholds")
        off = "gc.set_threshold(0)" if isinstance(thresholds, list | tuple) and thresholds[:1] in ([0], (0,)) else ""
        return f"{part}, and the garbage collector is off ({off or 'gc.disable()'}): memory grows until it runs."
    waits = f"{part} that waits for a full collection{_none_has_run(found)}."
    grows = holder.get("sure") is True and _row(holder, "bound").get("explains") is not True
    return f"{waits} {_NO_LEAK}" if count / of >= NEARLY_ALL and not grows else waits


def _none_has_run(found: Mapping[str, Any]) -> str:
    if found.get("full_collections") == 0:
        return "; none has run since the process started"
    minutes = round(_number(found, "since_full_s") / _MINUTE)
    if minutes < 1:
        return ""
    return f"; none has run for {minutes} minute{'s' if minutes > 1 else ''}"


def _bound(bound: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    limit, entries, by = _number(bound, "limit"), _number(bound, "entries"), str(bound.get("by") or "")
    if limit <= 0:
        return ""
    cache = f"cache of {int(limit):,} entries"
    if bound.get("own") is False:
        return f"It is held by an entry of a {cache} ({by}): what the entries hold grows." if _grew(holder) else ""
    full = _size(_number(bound, "when_full_kb"))
    if bound.get("fits") is False:
        return f"Bounded, but its bound of {int(limit):,} does not fit: full, it would take {full} ({by})."
    if entries >= FULL * limit:
        explains = bound.get("explains") is True
        grows = "it replaces its entries" if explains or not _grew(holder) else "what its entries hold grows"
        return f"A {cache}, full ({by}): {grows}."
    return _filling(bound, cache, by, full)


def _filling(bound: Mapping[str, Any], cache: str, by: str, full: str) -> str:
    entries, limit = _number(bound, "entries"), _number(bound, "limit")
    share = f"{entries / limit:.0%}".replace("%", " %")
    if bound.get("explains") is not True:
        return f"A {cache}, {share} full ({by})."
    takes = f" Full, it takes {full}." if bound.get("when_full_kb") is not None else ""
    if bound.get("enforced") is True:
        return f"A {cache}, {share} full ({by}): expected growth, not a leak.{takes}"
    return f"A {cache}, {share} full, if the program keeps to {by}: expected growth.{takes}"


def _grew(holder: Mapping[str, Any]) -> bool:
    return _number(holder, "grew") > 0


def _size(kib: float) -> str:
    for unit, of in (("GB", 1024**2), ("MB", 1024)):
        if kib >= of:
            return f"{kib / of:,.1f} {unit}"
    return f"{kib:,.1f} KB"


def _row(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
