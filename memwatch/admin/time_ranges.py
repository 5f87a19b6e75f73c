"""Which stretch of time a page shows: said in its URL, so that it can be passed on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats

LENGTHS = {
    "1h": (gettext_lazy("1 h"), timedelta(hours=1)),
    "6h": (gettext_lazy("6 h"), timedelta(hours=6)),
    "24h": (gettext_lazy("24 h"), timedelta(hours=24)),
    "7d": (gettext_lazy("7 d"), timedelta(days=7)),
    "all": (gettext_lazy("all"), None),
}
DEFAULT = "6h"
_LEAST = timedelta(seconds=10)
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeRange:
    """From when to when, and how the URL says it."""

    since: datetime
    until: datetime
    key: str = ""
    """A key of :data:`LENGTHS`; empty for a range between two times."""
    problem: str = ""
    """What is wrong with what was asked for; the usual range is shown then."""
    end: datetime | None = None
    """Where there is nothing later to see: now, or when the process ended."""
    kept: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Other parameters of the URL, which the links keep."""

    @property
    def links(self) -> list[dict[str, Any]]:
        """The buttons."""
        return [
            {"label": label, "query": self._to(range=key), "current": key == self.key}
            for key, (label, _length) in LENGTHS.items()
        ]

    @property
    def moves(self) -> list[dict[str, Any]]:
        """Links to what lies before, after and around it."""
        span, end = self.until - self.since, self.end or self.until
        later = min(self.until + span, end)
        found = [(_("← earlier"), self.since - span, self.since)]
        if later > self.until:
            found.append((_("later →"), later - span, later))
        found.append((_("zoom out"), self.since - span / 2, min(self.until + span / 2, max(end, self.until))))
        return [
            {"label": label, "query": self._to(**{"from": _stamp(since), "to": _stamp(until)})}
            for label, since, until in found
            if since > _OLDEST
        ]

    def _to(self, **values: str) -> str:
        return f"?{urlencode({**self.kept, **values})}"

    @property
    def query(self) -> str:
        """The part of a URL that leads to this range again, without the question mark."""
        if self.key:
            return urlencode({"range": self.key})
        return urlencode({"from": self.since.isoformat(), "to": self.until.isoformat()})

    @property
    def since_local(self) -> str:
        """For an ``<input type="datetime-local">``, in the current zone."""
        return timezone.localtime(self.since).strftime("%Y-%m-%dT%H:%M:%S")

    @property
    def until_local(self) -> str:
        """The end as a form field shows it."""
        return timezone.localtime(self.until).strftime("%Y-%m-%dT%H:%M:%S")

    @property
    def zone(self) -> str:
        """The name of the current zone."""
        return timezone.get_current_timezone_name()

    @property
    def shown(self) -> str:
        """In words."""
        if self.key and self.key != "all":
            return _("the last %s") % LENGTHS[self.key][0]
        return _("%(since)s to %(until)s") % {
            "since": formats.exact(self.since), "until": formats.exact(self.until),
        }  # fmt: skip


def asked(
    values: Mapping[str, str],
    *,
    now: datetime,
    first: datetime,
    last: datetime | None = None,
    usual: str = DEFAULT,
    kept: Mapping[str, str] | None = None,
) -> TimeRange:
    """The range of a URL's query: ``range=6h``, or ``from=`` and ``to=`` (ISO 8601, without zone: the page's own).

    ``first`` is where "all" begins, ``last`` where the last hours end: when the process ended, else now. What cannot
    be read gives the range ``usual`` with the problem named. The links of the range keep the parameters ``kept``.
    """
    found = _asked(values, now=now, first=first, end=last or now, usual=usual)
    return dataclasses.replace(found, kept=kept or {})


def _asked(values: Mapping[str, str], *, now: datetime, first: datetime, end: datetime, usual: str) -> TimeRange:
    if values.get("from") or values.get("to"):
        try:
            since = moment(values["from"]) if values.get("from") else first
            until = moment(values["to"]) if values.get("to") else end
        except ValueError as error:
            return _usual(usual, first, end, str(error))
        if until - since < _LEAST:
            return _usual(usual, first, end, _("The end must be later than the start."))
        newest = now + timedelta(days=1)
        if until - _LEAST < _OLDEST or since + _LEAST > newest:
            return _usual(usual, first, end, _("There are no figures for that time."))
        return TimeRange(since=max(since, _OLDEST), until=min(until, newest), end=end)
    key = values.get("range", usual)
    if key not in LENGTHS:
        return _usual(usual, first, end, _("There is no such range."))
    return TimeRange(since=_since(first, end, LENGTHS[key][1]), until=end, key=key, end=end)


def _since(first: datetime, end: datetime, length: timedelta | None) -> datetime:
    """What is younger than the range is shown whole, not as a sliver at its end."""
    first = max(min(first, end - timedelta(minutes=1)), _OLDEST)
    return first if length is None else max(first, end - length)


def _usual(key: str, first: datetime, end: datetime, problem: str) -> TimeRange:
    problem = _("%s The page shows the default range.") % problem
    return TimeRange(since=_since(first, end, LENGTHS[key][1]), until=end, key=key, problem=problem, end=end)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """An aware time; :class:`ValueError` says what would be right."""
    try:
        parsed = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        if timezone.is_naive(parsed):
            parsed = timezone.make_aware(parsed)
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_("This is not a time. Write it like 2026-01-31T12:00.")) from None
