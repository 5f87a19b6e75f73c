"""Two snapshots side by side, or a snapshot and a baseline: as a page, as CSV, as JSON."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from memwatch import queries
from memwatch.admin import formats, panels, time_ranges
from memwatch.models import Baseline, Process, Snapshot
from memwatch.queries import Comparison, Row
from memwatch.queries.processes.lookup import process_with_last
from memwatch.queries.row_ids import is_id
from memwatch.queries.series.snapshots import snapshot_with_process
from memwatch.records import FIGURES

BASELINE = "baseline-"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A text that begins so is taken for a formula by spreadsheet programs."""


class NotThere(Exception):  # noqa: N818 - a state more than an error
    """What was asked for cannot be compared; the text says why and what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """What is compared with what."""

    before: Snapshot | Baseline
    after: Snapshot | Baseline

    @property
    def query(self) -> str:
        """The part of the URL that names both."""
        return urlencode({"from": key_of(self.before), "to": key_of(self.after)})

    @property
    def filename(self) -> str:
        """The name of a download, without its extension."""
        return f"memwatch-{key_of(self.before)}-to-{key_of(self.after)}"


def key_of(row: Snapshot | Baseline) -> str:
    """How the URL names it: ``123``, or ``baseline-7``."""
    return f"{BASELINE}{row.pk}" if isinstance(row, Baseline) else str(row.pk)


def process_asked(query: Mapping[str, str]) -> Process | None:
    """The process whose snapshots are offered."""
    text = query.get("process", "")
    if not is_id(text):
        return None
    return process_with_last(int(text))


def pair(query: Mapping[str, str], process: Process | None) -> Pair | None:
    """The two that the URL names; ``None`` where it names none yet. Raises :class:`NotThere`."""
    if not any(query.get(name) for name in ("from", "to", "from_at", "to_at")):
        return None
    return Pair(before=_side(query, "from", process), after=_side(query, "to", process))


def _side(query: Mapping[str, str], name: str, process: Process | None) -> Snapshot | Baseline:
    moment = query.get(f"{name}_at")
    if moment and process is not None:
        try:
            at = time_ranges.moment(moment)
        except ValueError as error:
            raise NotThere(str(error)) from None
        found = queries.snapshot_at(process, at)
        if found is None:
            raise NotThere(_("No snapshot of %(slot)s is that old: choose a later time.") % {"slot": process.slot})
        return found
    text = query.get(name, "")
    number = text.removeprefix(BASELINE)
    if not is_id(number):
        raise NotThere(_("Choose two snapshots, or a baseline and a snapshot."))
    if text.startswith(BASELINE):
        row: Snapshot | Baseline | None = queries.baseline_with_user(int(number))
    else:
        row = snapshot_with_process(int(number))
    if row is None:
        kind = _("baseline") if text.startswith(BASELINE) else _("snapshot")
        raise NotThere(
            _("There is no %(kind)s %(number)s. It may have been pruned. Choose another.")
            % {"kind": kind, "number": number}
        )
    return row


def page(query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The context of the page: what was asked for compared, and what else can be chosen."""
    process, problem, found = process_asked(query), "", None
    try:
        found = pair(query, process)
    except NotThere as error:
        problem = str(error)
    if process is None and found is not None:
        process = _process_of(found)
    comparison = queries.compare(found.before, found.after) if found else None
    return {
        "title": _("Compare"),
        "subtitle": str(process) if process else "",
        "problem": problem,
        "process": {"url": formats.page_url("process", process.pk), "name": process.slot, "pk": process.pk}
        if process
        else None,
        "choices": _choices(process, found, now) if process else [],
        "before": _described(found.before, now) if found else "",
        "after": _described(found.after, now) if found else "",
        "tables": [_types(comparison), _figures(comparison)] if comparison else [],
        "uncounted": _uncounted(found) if found and comparison and comparison.types else [],
        "download": f"?{found.query}&format=" if found else "",
        "swap": f"?{Pair(before=found.after, after=found.before).query}" if found else "",
        "list_url": formats.changelist("snapshot"),
    }


def _uncounted(found: Pair) -> list[dict[str, str]]:
    """The sides that counted nothing, with the comparison that takes the latest census before instead."""
    rows = []
    for name, row in (("before", found.before), ("after", found.after)):
        if not isinstance(row, Snapshot) or row.total_objects is not None:
            continue
        counted = queries.last_census(row)
        other = dataclasses.replace(found, **{name: counted}) if counted else None
        rows.append(
            {
                "at": formats.exact(row.timestamp),
                "url": f"?{other.query}" if other else "",
                "counted": formats.exact(counted.timestamp) if counted else "",
            }
        )
    return rows


def download(found: Pair, kind: str) -> HttpResponse:
    """The comparison as a file, ``csv`` or ``json``."""
    comparison = queries.compare(found.before, found.after)
    if kind == "json":
        answer: HttpResponse = JsonResponse(as_json(found, comparison), json_dumps_params={"indent": 2})
    else:
        answer = HttpResponse(content_type="text/csv; charset=utf-8")
        write_csv(answer, comparison)
    answer["Content-Disposition"] = f'attachment; filename="{found.filename}.{kind}"'
    return answer


def write_csv(out: Any, comparison: Comparison) -> None:
    """Figures first, then types: what, name, before, after, difference, percent."""
    writer = csv.writer(out)
    writer.writerow(["what", "name", "before", "after", "difference", "percent"])
    for what, rows in (("figure", comparison.figures), ("type", comparison.types)):
        for row in rows:
            values = (row.before, row.after, row.difference, row.percent)
            writer.writerow([what, harmless(row.name), *("" if value is None else value for value in values)])


def harmless(text: str) -> str:
    """A text that no spreadsheet program takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def as_json(found: Pair, comparison: Comparison) -> dict[str, Any]:
    """The differences with both sides of the comparison."""

    def rows(items: Iterable[Row]) -> list[dict[str, Any]]:
        return [dataclasses.asdict(item) for item in items]

    return {
        "from": {"id": key_of(found.before), "timestamp": found.before.timestamp.isoformat()},
        "to": {"id": key_of(found.after), "timestamp": found.after.timestamp.isoformat()},
        "figures": rows(comparison.figures),
        "types": rows(comparison.types),
    }


def _process_of(found: Pair) -> Process | None:
    return next((row.process for row in (found.after, found.before) if row.process is not None), None)


def _described(row: Snapshot | Baseline, now: datetime) -> SafeString:
    what = _("snapshot of %s") % row.process
    if isinstance(row, Baseline):
        what = _("baseline of %s") % (row.process or row.service)
    at = formats.exact(row.timestamp)
    return format_html("{}, {} ({})", formats.link_to(row, what), at, formats.when(row.timestamp, now))


def _choices(process: Process, found: Pair | None, now: datetime) -> list[dict[str, Any]]:
    """The two lists of the form: baselines and notable snapshots, with what is compared now chosen."""
    options: dict[str, str] = {}
    for baseline in queries.baselines_known(process):
        whose = _("baseline of the process") if baseline.process_id else _("baseline of the service")
        options[key_of(baseline)] = f"{whose}, {formats.exact(baseline.timestamp)}"
    for snapshot in queries.notable_snapshots(process, now):
        options[key_of(snapshot)] = f"{formats.age(snapshot.timestamp, now)}, {formats.exact(snapshot.timestamp)}"
    if found:
        for row in (found.before, found.after):
            options.setdefault(key_of(row), formats.exact(row.timestamp))
    chosen = (
        [key_of(found.before), key_of(found.after)] if found else [next(iter(options), ""), next(reversed(options), "")]
    )
    return [
        {
            "name": name,
            "label": label,
            "options": [{"key": key, "text": text, "chosen": key == own} for key, text in options.items()],
        }
        for name, label, own in (("from", _("Before"), chosen[0]), ("to", _("After"), chosen[1]))
    ]


def _types(comparison: Comparison) -> panels.Table:
    """Every type reported on either side, the largest growth first; none that there are none of."""
    return panels.Table(
        title=_("Types"),
        names=[_("Type"), *_names()],
        cells=[
            [formats.type_name(row.name), *panels.compared(row)] for row in comparison.types if row.before or row.after
        ],
        empty=_("There are no counts by type: neither snapshot took a census."),
        note=_("A dash means that the process did not report this type then."),
    )


def _figures(comparison: Comparison) -> panels.Table:
    return panels.Table(
        title=_("Figures"),
        names=[_("Figure"), *_names()],
        cells=[
            [_(FIGURES[row.name].label), *panels.compared(row, FIGURES[row.name].unit)] for row in comparison.figures
        ],
        empty=_("Neither side has figures."),
    )


def _names() -> list[str]:
    return [_("Before"), _("After"), _("Difference"), "%"]
