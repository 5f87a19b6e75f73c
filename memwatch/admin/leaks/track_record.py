"""The page *How good were we*: what the site's people made of the leaks that memwatch found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.base import SinglePageAdmin
from memwatch.admin.panels import Line, Table, figure
from memwatch.detection.confidence.track_record import CONFIRMED, DISMISSED, OPEN, OVER, Level
from memwatch.detection.confidence.track_record import TrackRecord as Record
from memwatch.models import TrackRecord
from memwatch.queries.track_record import track_record

MOST_LISTED = 50
OUTCOMES: dict[str, Promise] = {
    CONFIRMED: gettext_lazy("confirmed"),
    DISMISSED: gettext_lazy("dismissed"),
    OVER: gettext_lazy("ended, not decided"),
    OPEN: gettext_lazy("open, not decided"),
}


@admin.register(TrackRecord)
class TrackRecordAdmin(SinglePageAdmin):
    page_template = "admin/memwatch/leak/track_record.html"
    page_title = gettext_lazy("How good were we")
    row_model = "leak"
    related: ClassVar = {"leak": "", "expectedgrowth": ""}

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("memwatch.view_leak")

    def page(self, request: HttpRequest) -> Mapping[str, Any]:
        return {**page(track_record(), timezone.now()), "related": self.related_links(request)}


def page(record: Record, now: datetime) -> dict[str, Any]:
    """What the template shows."""
    return {
        "sentence": record.sentence,
        "tiles": [
            Line(label=_("Confirmed"), value=formats.count(record.confirmed), hint=_("acknowledged or resolved")),
            Line(label=_("Dismissed"), value=formats.count(record.dismissed), hint=_("suppressed as expected growth")),
            Line(label=_("Ended, not decided"), value=formats.count(record.over)),
            Line(label=_("Open, not decided"), value=formats.count(record.open)),
        ],
        "tables": [_levels(record), _findings(record, now)],
    }


def _levels(record: Record) -> Table:
    return Table(
        title=_("By probability"),
        names=[_("Probability"), _("Found"), _("Confirmed"), _("Dismissed"), _("Share confirmed")],
        cells=[
            [
                level_name(level),
                figure(formats.count(level.found), level.found),
                figure(formats.count(level.confirmed), level.confirmed),
                figure(formats.count(level.dismissed), level.dismissed),
                figure(formats.percent(None if level.share is None else level.share * 100), level.share),
            ]
            for level in record.levels
        ],
        note=_(
            "The share is of those confirmed or dismissed. If it is clearly below the probability, verdicts are wrong "
            "here more often than measured."
        ),
    )


def level_name(level: Level) -> str:
    """``85 to 95 %``."""
    if level.least is None:
        return _("not known")
    return _("%(least)s to %(below)s %%") % {"least": f"{level.least * 100:.0f}", "below": f"{level.below * 100:.0f}"}


def _findings(record: Record, now: datetime) -> Table:
    return Table(
        title=_("The last leaks"),
        names=[_("Leak"), _("Service"), _("Detected"), _("Result"), _("Probability")],
        cells=[
            [
                formats.link(formats.page_url("leak", each.leak), each.what),
                each.service,
                formats.when(each.detected_at, now),
                str(OUTCOMES[each.outcome]),
                figure(formats.chance(each.probability), each.probability),
            ]
            for each in record.findings[:MOST_LISTED]
        ],
        empty=_("No leak was found yet."),
    )
