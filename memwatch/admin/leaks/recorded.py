"""What the recordings made of a leak say: the line that allocates it, the name that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from memwatch.admin import formats
from memwatch.models import Recording
from memwatch.queries.diagnosis.recordings import Conclusion, conclude

LONGEST = 200


def is_done(recording: Recording) -> bool:
    return recording.state == "done"


def row(recording: Recording) -> dict[str, Any]:
    return {
        "url": formats.page_url("recording", recording.pk),
        "kind": recording.get_kind_display(),
        "state": formats.state_of(recording),
        "at": formats.when(recording.requested_at),
        "by": recording.asked_by,
        "error": recording.error,
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def first_site(recording: Recording) -> SafeString | str:
    """The first allocation site of a finished recording, those of the type itself before others."""
    sites = _entries(_mapping(recording.result).get("sites")) if is_done(recording) else []
    site = next((each for each in sites if each.get("of_type")), sites[0] if sites else None)
    if site is None or not site.get("file"):
        return ""
    place = formats.type_name(_short(f"{site.get('file')}:{site.get('line', '?')}"))
    if site.get("called_from"):
        caller = formats.type_name(_short(site["called_from"]))
        return format_html(_("In {}, a line of a library, called from {}."), place, caller)
    if site.get("function"):
        return format_html(_("In {}, function {}."), place, formats.type_name(_short(site["function"])))
    return format_html(_("In {}."), place)


def holder(recording: Recording) -> SafeString | str:
    """What holds it, as the recording's own page says it."""
    found = conclude([recording]) if is_done(recording) else Conclusion()
    finding = _found_since(recording) or found.finding
    said = [each for each in (finding, _held(found), found.freed) if each]
    return format_html_join(" ", "{}", ((each,) for each in said))


def _found_since(recording: Recording) -> str:
    """What the leak's evidence says of it: by then, entries may have outlived their time."""
    leak = recording.leak
    look = _mapping(_mapping(leak.evidence).get("look")) if leak is not None else {}
    return str(look.get("finding") or "") if look.get("recording") == recording.pk else ""


def _held(found: Conclusion) -> SafeString | str:
    if found.your_code:
        text = _("Most likely your code: {}, {}.") if found.sure else _("Perhaps your code: {}, {}.")
        named = found.attribute or found.held_by
        return format_html(text, formats.type_name(_short(found.your_code)), formats.type_name(_short(named)))
    if found.held_by:
        text = _("It is held by {}.") if found.sure is not False else _("Perhaps it is held by {}.")
        return format_html(text, formats.type_name(_short(found.held_by)))
    return ""


def _short(value: Any) -> str:
    return Truncator(str(value)).chars(LONGEST)
