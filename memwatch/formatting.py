"""Figures as people read them: sizes, counts, percentages, durations, ages, as plain text in the reader's language.

What was not measured is shown as a dash, never as 0.
"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.records import KIB_PER_MB

NOT_MEASURED = "—"
MB_PER_GB = 1024
MANY_MB = 10 * MB_PER_GB
"""From here on sizes are shown in GB."""

MINUTE, HOUR, DAY = 60, 3600, 86400


KIND_UNITS: dict[str, str] = {
    "objects": "objects",
    "untracked": "blocks",
    "native": "KiB",
}
"""What the counts of a leak count, where its evidence does not say."""


def _number(value: float, places: int) -> str:
    # number_format cuts decimals off; adding 0 makes a zero of a minus zero.
    return number_format(round(value, places) + 0, decimal_pos=places, use_l10n=True, force_grouping=True)


def _signed(value: float, text: str) -> str:
    return f"+{text}" if value > 0 else text


def count(value: float | None) -> str:
    """``12,345``."""
    return NOT_MEASURED if value is None else _number(value, 0)


def at_most(value: int, most: int) -> str:
    """``7``; ``10+`` for more than ``most``."""
    return f"{_number(most, 0)}+" if value > most else _number(value, 0)


def signed_count(value: float | None) -> str:
    """``+12,345``."""
    return NOT_MEASURED if value is None else _signed(value, _number(value, 0))


def decimal(value: float | None) -> str:
    """``12.3``."""
    return NOT_MEASURED if value is None else _number(value, 1)


def precise(value: float | None) -> str:
    """``0.04``, ``2.31``, ``12.3``, ``1,204``: about three digits."""
    if value is None:
        return NOT_MEASURED
    return _number(value, 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0)


def megabytes(value: float | None) -> str:
    """``1,234.5 MB``; from 10 GB on ``10.0 GB``."""
    if value is None:
        return NOT_MEASURED
    if abs(value) >= MANY_MB:
        return _("%s GB") % _number(value / MB_PER_GB, 1)
    return _("%s MB") % _number(value, 1)


def signed_megabytes(value: float | None) -> str:
    """``+1.5 MB``."""
    return NOT_MEASURED if value is None else _signed(value, megabytes(value))


def kib(value: int | None) -> str:
    """A size kept in KiB, as :func:`megabytes`."""
    return megabytes(None if value is None else value / KIB_PER_MB)


def percent(value: float | None) -> str:
    """``12.3 %``."""
    return NOT_MEASURED if value is None else f"{_number(value, 1)} %"


def chance(probability: float | None) -> str:
    """A probability of 0 to 1 as ``91 %``."""
    return NOT_MEASURED if probability is None else f"{probability * 100:.0f} %"


def signed_percent(value: float | None) -> str:
    """``+12.3 %``."""
    return NOT_MEASURED if value is None else _signed(value, percent(value))


def milliseconds(value: float | None) -> str:
    """``12.3 ms``."""
    return NOT_MEASURED if value is None else _("%s ms") % _number(value, 1)


def took(seconds: float | None) -> str:
    """``12.3 ms``, ``4.1 s``, ``12 min``."""
    if seconds is None or seconds >= MINUTE:
        return duration(seconds)
    return milliseconds(seconds * 1000) if seconds < 1 else _("%s s") % _number(seconds, 1)


def signed_took(seconds: float | None) -> str:
    """``+4.1 s``."""
    if seconds is None:
        return NOT_MEASURED
    return f"-{took(-seconds)}" if seconds < 0 else _signed(seconds, took(seconds))


def duration(seconds: float | None) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if seconds is None:
        return NOT_MEASURED
    whole = max(0, round(seconds))
    if whole < MINUTE:
        return _("%d s") % whole
    if whole < HOUR:
        return _("%d min") % (whole // MINUTE)
    if whole < 2 * DAY:
        hours, minutes = whole // HOUR, whole % HOUR // MINUTE
        return _("%(h)d h %(min)d min") % {"h": hours, "min": minutes} if minutes else _("%d h") % hours
    days, hours = whole // DAY, whole % DAY // HOUR
    if days >= 100 or not hours:
        return ngettext("%s day", "%s days", days) % _number(days, 0)
    return _("%(d)d d %(h)d h") % {"d": days, "h": hours}


def age(moment: datetime | None, now: datetime | None = None) -> str:
    """``3 min ago``, ``in 2 h``, ``just now``."""
    if moment is None:
        return NOT_MEASURED
    seconds = ((now or timezone.now()) - moment).total_seconds()
    if abs(seconds) > 6 * HOUR:
        seconds = round(seconds / HOUR) * HOUR
    if abs(seconds) < 2:
        return _("just now")
    return _("%s ago") % duration(seconds) if seconds > 0 else _("in %s") % duration(-seconds)


def exact(moment: datetime | None) -> str:
    """The time in the current time zone, to the second."""
    return NOT_MEASURED if moment is None else date_format(timezone.localtime(moment), "Y-m-d H:i:s T")


def leak_amount(kind: str, amount: int | None, unit: str = "") -> str:
    """A count of a leak in its own unit: a size, so many blocks or entries, or just the number for objects."""
    if amount is None:
        return NOT_MEASURED
    unit = unit or KIND_UNITS.get(kind, "")
    if unit == "KiB":
        return kib(amount)
    if unit == "blocks":
        return ngettext("%s block", "%s blocks", amount) % _number(amount, 0)
    if unit == "entries":
        return ngettext("%s entry", "%s entries", amount) % _number(amount, 0)
    return _number(amount, 0)


def leak_growth(kind: str, amount: int | None, unit: str = "") -> str:
    """The number with a sign."""
    return NOT_MEASURED if amount is None else _signed(amount, leak_amount(kind, amount, unit))


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence; names and figures have dots without a space after."""
    return text.split(". ", 1)[0].rstrip(".") + "." if text else ""
