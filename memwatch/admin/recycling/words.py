"""Policies in words."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats
from memwatch.conf import get_settings
from memwatch.models import Recycle, RecyclingPolicy

SHAPES = {
    "rehearsed": "◌", "evidence": "◌", "ordered": "◐", "recycled": "✓", "refused": "✗", "left": "✗", "called_off": "○",
}  # fmt: skip
TONES = {"recycled": "good", "refused": "medium", "left": "medium"}
SWITCHED_OFF = gettext_lazy("The setting RECYCLING switches recycling off for all services, whatever the policies say.")


def state(recycle: Recycle) -> SafeString:
    """The state as a badge."""
    return formats.badge("state", recycle.state, recycle.get_state_display(), SHAPES[recycle.state])


def mode(policy: RecyclingPolicy) -> str:
    """``off``, ``rehearse``, ``act``, or that it has stopped itself."""
    if policy.stopped_at is not None and policy.mode == RecyclingPolicy.Mode.ACT:
        return _("stopped itself")
    return str(policy.get_mode_display())


def condition(policy: RecyclingPolicy) -> str:
    """When a worker is due."""
    if policy.limit_mb is not None:
        limit = _("%s MB of private memory") % f"{policy.limit_mb:,g}"
    else:
        limit = _("%s %% of its limit in private memory") % f"{policy.limit_percent or 0:g}"
    texts = {
        RecyclingPolicy.When.LIMIT: limit,
        RecyclingPolicy.When.LEAK: _("its leak is open"),
        RecyclingPolicy.When.EITHER: _("%s, or its leak is open") % limit,
        RecyclingPolicy.When.BOTH: _("%s, and its leak is open") % limit,
    }
    return texts[RecyclingPolicy.When(policy.when)]


def pace(policy: RecyclingPolicy) -> str:
    """How often at most."""
    text = ngettext(
        "one in %(minutes)s min, after %(checks)s check",
        "one in %(minutes)s min, after %(checks)s checks",
        policy.checks,
    )
    return text % {"minutes": f"{policy.minutes:g}", "checks": policy.checks}


def said(policy: RecyclingPolicy) -> str:
    """How it stands: why it has stopped, or what the last check has found."""
    if not get_settings().recycling:
        return str(SWITCHED_OFF)
    if policy.stopped_at is not None:
        return policy.stopped_why
    if policy.mode == RecyclingPolicy.Mode.OFF:
        return _("The policy is off.")
    return policy.said or _("Not checked yet: a check is made every minute.")


def in_short(policy: RecyclingPolicy | None) -> SafeString | str:
    """A sentence for the page of a leak."""
    if policy is None:
        return _("The workers of this service are not recycled by memwatch: it has no recycling policy.")
    text = _("Recycling of its workers is set to “{}”: {}")
    sentence = format_html(text, mode(policy), said(policy))
    return format_html("{} {}", sentence, formats.link_to(policy, _("Recycling policy")))
