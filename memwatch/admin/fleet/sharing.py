"""What the processes of a service share, on the service's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from memwatch.admin import formats
from memwatch.admin.panels import Line
from memwatch.detection.surroundings.sharing import Sharing, sentences


def panel(sharing: Sharing | None) -> Mapping[str, Any] | None:
    """What the template shows; ``None`` where too little was measured."""
    if sharing is None:
        return None
    return {"sentences": sentences(sharing), "lines": _lines(sharing)}


def _lines(sharing: Sharing) -> list[Line]:
    methods = ", ".join(f"{method} {number}" for method, number in sorted(sharing.methods.items()) if method)
    lines = [
        Line(label=_("Private memory (USS)"), value=formats.megabytes(sharing.private_mb), hint=_("of a process")),
        Line(label=_("Shared memory"), value=formats.megabytes(sharing.shared_mb), hint=_("RSS less USS of a process")),
        Line(
            label=_("All together (PSS)"),
            value=formats.megabytes(sharing.pss_mb),
            hint=_("%s processes; their RSS adds up to %s")
            % (formats.count(sharing.processes), formats.megabytes(sharing.rss_mb)),
        ),
        Line(label=_("Started by"), value=methods or formats.NOT_MEASURED),
        Line(
            label=_("gc.freeze() before the fork"),
            value=_("on in %(some)s of %(all)s") % {"some": sharing.frozen, "all": sharing.processes},
        ),
    ]
    if sharing.copied_mb is not None:
        hint = _("of what it shared, by the median process since it was forked")
        lines.append(Line(label=_("Copied"), value=formats.megabytes(sharing.copied_mb), hint=hint))
    return lines
