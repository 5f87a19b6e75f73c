"""The card with memwatch's state, for the index of an admin site."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

register = template.Library()


@register.inclusion_tag("admin/memwatch/_card.html", takes_context=True)
def memwatch_card(context: Context) -> dict[str, Any]:
    """What leaks, the alerts, the silent processes, and links to memwatch's pages that the user may open."""
    # Django loads the tags of every installed application, also in a site that has no admin.
    from memwatch.admin.doors import beside, card  # noqa: PLC0415

    doors, request = card(context.get("available_apps") or ()), context.get("request")
    return {**doors, "related": beside(request) if request is not None and doors["doors"] else []}
