"""What a recording of referrers says about garbage, bounds and lifetimes, in sentences.

An agent may have sent anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memwatch.diagnosis.structure import expected_time
from memwatch.diagnosis.structure.fields import is_bounded, number, row, size

WORTH_SAYING, NEARLY_ALL, FULL = 0.05, 0.9, 0.98
REPLACED = 0.25
"""Share of the objects that must be garbage to show that a full cache replaces its entries."""
ONE_EACH = 1.5
"""Objects alive for each entry of that cache, at most: with more, its entries may grow."""
_MINUTE = 60.0
_NO_LEAK = "Not a leak."


def finding(result: Mapping[str, Any], holder: Mapping[str, Any], *, grown_s: float | None = None) -> str:
    """Garbage first, then the bound, then when entries expire; empty where there is nothing to say.

    ``holder``: the likeliest. ``grown_s``: where the growth is too old to be that of entries that expire, its age.
    """
    lifetime = "" if is_bounded(holder) else expected_time.sentence(holder, grown_s)
    said = (_garbage(row(result, "garbage"), holder), _bound(row(holder, "bound"), holder), lifetime)
    return " ".join(filter(None, said))


def acquits(result: Mapping[str, Any], holder: Mapping[str, Any]) -> bool:
    """Whether the heap shows that it is no leak: garbage that will be collected, or a cache on its way to its bound.

    Of entries that expire see :func:`expected_time.expected_s`.
    """
    garbage = row(result, "garbage")
    if is_bounded(holder):
        return True
    return garbage.get("collects") is not False and _garbage(garbage, holder).endswith(_NO_LEAK)


def _garbage(found: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    count, of = number(found, "count"), number(found, "of")
    if found.get("count") is None or of <= 0 or count / of < WORTH_SAYING:
        return ""
    part = f"{min(1.0, count / of):.0%}".replace("%", " %") + " of them are garbage"
    if found.get("collects") is False:
        thresholds = found.get("thresholds")
        off = "gc.set_threshold(0)" if isinstance(thresholds, list | tuple) and thresholds[:1] in ([0], (0,)) else ""
        return f"{part}, and the garbage collector is off ({off or 'gc.disable()'}): memory grows until it runs."
    waits = f"{part} that waits for a full collection{_none_has_run(found)}."
    grows = holder.get("sure") is True and row(holder, "bound").get("explains") is not True
    explained = count / of >= NEARLY_ALL or (count / of >= REPLACED and _in_full_cache(of - count, holder))
    return f"{waits} {_NO_LEAK}" if explained and not grows else waits


def _in_full_cache(alive: float, holder: Mapping[str, Any]) -> bool:
    """Whether so many objects are about one for each entry of a full cache."""
    bound = row(holder, "bound")
    limit, entries = number(bound, "limit"), number(bound, "entries")
    full = 0 < FULL * limit <= entries and bound.get("own") is True and bound.get("fits") is not False
    return full and not _grew(holder) and alive <= ONE_EACH * entries


def _none_has_run(found: Mapping[str, Any]) -> str:
    if found.get("full_collections") == 0:
        return "; none has run since the process started"
    minutes = round(number(found, "since_full_s") / _MINUTE)
    if minutes < 1:
        return ""
    return f"; none has run for {minutes} minute{'s' if minutes > 1 else ''}"


def _bound(bound: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    limit, entries, by = number(bound, "limit"), number(bound, "entries"), str(bound.get("by") or "")
    if limit <= 0:
        return ""
    cache = f"cache of {int(limit):,} entries"
    if bound.get("own") is False:
        return f"It is held by an entry of a {cache} ({by}): what the entries hold grows." if _grew(holder) else ""
    full = size(number(bound, "when_full_kb"))
    if bound.get("fits") is False:
        return f"Bounded, but its bound of {int(limit):,} does not fit: full, it would take {full} ({by})."
    if entries >= FULL * limit:
        explains = bound.get("explains") is True
        grows = "it replaces its entries" if explains or not _grew(holder) else "what its entries hold grows"
        return f"A {cache}, full ({by}): {grows}."
    return _filling(bound, cache, by, full)


def _filling(bound: Mapping[str, Any], cache: str, by: str, full: str) -> str:
    entries, limit = number(bound, "entries"), number(bound, "limit")
    share = f"{entries / limit:.0%}".replace("%", " %")
    if bound.get("explains") is not True:
        return f"A {cache}, {share} full ({by})."
    takes = f" Full, it takes {full}." if bound.get("when_full_kb") is not None else ""
    if bound.get("enforced") is True:
        return f"A {cache}, {share} full ({by}): expected growth, not a leak.{takes}"
    return f"A {cache}, {share} full, if the program keeps to {by}: expected growth.{takes}"


def _grew(holder: Mapping[str, Any]) -> bool:
    return number(holder, "grew") > 0
