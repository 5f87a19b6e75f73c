"""What a recording of referrers says about entries that expire: for how long growth is expected, and in sentences.

An agent may have sent anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memwatch.diagnosis.structure.fields import is_bounded, number, row, size
from memwatch.diagnosis.structure.time_room import ENOUGH, MOST_S, is_kept, room_s


def expected_s(result: Mapping[str, Any], grown_s: float) -> float:
    """Growth of this age, in seconds since it began, is expected at most; 0 where entries that expire explain nothing.

    ``grown_s``: its age at the time of the recording. Where that is more than the entries live, and none of them is
    overdue, they are seen to be removed: then the program has more to do, and a day of growth is expected.
    """
    expiring = row(result, "expiring")
    seconds = number(expiring, "seconds")
    candidates = result.get("candidates")
    held = [each for each in candidates if isinstance(each, Mapping)] if isinstance(candidates, list | tuple) else []
    if not 0 < seconds <= MOST_S or not held or not all(map(_is_expected, held)):
        return 0.0
    room = room_s(seconds)
    return max(room, MOST_S) if expiring.get("timed") is True and grown_s > room else room


def _is_expected(holder: Mapping[str, Any]) -> bool:
    """Whether it does not grow, or grows by entries that expire, or up to its bound."""
    lifetime = row(holder, "lifetime")
    if holder.get("grew") is not None and number(holder, "grew") <= 0:
        return True
    if is_bounded(holder):
        return True
    return _explains(lifetime) and number(lifetime, "seconds") <= MOST_S and lifetime.get("fits") is not False


def _explains(lifetime: Mapping[str, Any]) -> bool:
    kept = is_kept(number(lifetime, "timed"), number(lifetime, "overdue"))
    return lifetime.get("explains") is True and kept and number(lifetime, "seconds") > 0


def sentence(holder: Mapping[str, Any], grown_s: float | None = None) -> str:
    """Of the likeliest holder; empty where its entries do not expire, or that has nothing to do with the growth.

    ``grown_s``: where the growth is too old to be expected, its age.
    """
    lifetime = row(holder, "lifetime")
    seconds, by = number(lifetime, "seconds"), str(lifetime.get("by") or "")
    if seconds <= 0 or lifetime.get("explains") is not True:
        return ""
    after, takes = span(seconds), _takes(lifetime)
    if not _explains(lifetime):
        counts = f"{int(number(lifetime, 'overdue')):,} of {int(number(lifetime, 'timed')):,} looked at"
        late = f", one by {span(number(lifetime, 'overdue_s'))}" if number(lifetime, "overdue_s") > 0 else ""
        return f"Its entries are said to expire after {after} ({by}), but {counts} are overdue{late}."
    if grown_s is not None:
        return f"Its entries are said to expire after {after} ({by}), but it still grows after {span(grown_s)}."
    if seconds > MOST_S:
        return f"Its entries expire only after {after} ({by}). {takes or 'What it takes by then is not known.'}"
    if lifetime.get("fits") is False:
        return f"Its entries expire after {after} ({by}), but that is too late. {takes}"
    longer = ", and for a day while no entries are overdue" if number(lifetime, "timed") >= ENOUGH else ""
    expected = f"growth for {span(room_s(seconds))} is expected{longer}."
    return f"Its entries expire after {after} ({by}): {expected} {takes}".rstrip()


def _takes(lifetime: Mapping[str, Any]) -> str:
    if lifetime.get("when_due_kb") is None:
        return ""
    does_fit = "does not fit" if lifetime.get("fits") is False else "fits"
    return f"By then, it takes {size(number(lifetime, 'when_due_kb'))}, which {does_fit}."


def span(seconds: float) -> str:
    """``45 seconds``, ``15 minutes``, ``2 hours``, ``14 days``: in the largest unit of which there are two."""
    for unit, of in (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0)):
        if seconds >= 2 * of or (seconds >= of and seconds % of == 0):
            return _counted(seconds / of, unit)
    return _counted(seconds, "second")


def _counted(count: float, unit: str) -> str:
    text = f"{count:,.1f}".removesuffix(".0")
    return f"{text} {unit}" if text == "1" else f"{text} {unit}s"
