"""The entries of memwatch in the admin's index, and the state shown beside them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats
from memwatch.admin.leaks import evidence
from memwatch.models import Overview, connection
from memwatch.queries.processes.card import FleetState, fleet_state

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

DOORS: dict[str, Promise] = {
    "overview": gettext_lazy("The whole fleet on one page"),
    "leak": gettext_lazy("Memory that grows and is not released"),
    "process": gettext_lazy("Memory of each process over time"),
    "alert": gettext_lazy("Thresholds that were crossed"),
    "recording": gettext_lazy("Allocations, heap contents, references"),
    "operations": gettext_lazy("Rules, data, background work"),
}
"""The models in the index by name, in the order of the card, each with what it shows."""
INDEX_TEMPLATE = "admin/memwatch/index.html"

log = logging.getLogger("memwatch")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Door:
    """A link of the card."""

    name: str
    url: str
    text: str | Promise
    tone: str = ""
    """``medium``, ``high`` or ``critical``."""


def show_card(site: AdminSite) -> None:
    """Put the card above the site's index, unless the site has an index template of its own."""
    if site.index_template is None:
        site.index_template = INDEX_TEMPLATE


def card(available_apps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The card for the models that ``AdminSite.each_context`` lists for this user; without doors there is none."""
    models = [model for app in available_apps if app.get("app_label") == "memwatch" for model in app["models"]]
    found = {model["object_name"].lower(): model for model in models if model.get("admin_url")}
    shown = [name for name in DOORS if name in found]
    state = _state() if {"overview", "leak", "process", "alert"} & found.keys() else None
    return {
        "doors": [_door(name, found[name], state) for name in shown],
        "headline": _headline(state) if state and "leak" in found else "",
        "tone": _tone(state) if state and "leak" in found else "",
        "worst": [_worst(leak) for leak in state.worst] if state and "leak" in found else [],
    }


def beside(request: HttpRequest) -> list[dict[str, str]]:
    """The pages that the overview leads to, for who may open them: work, deaths, settings that fit."""
    links = getattr(admin.site._registry.get(Overview), "related_links", None)
    return list(links(request)) if links else []


def _state() -> FleetState | None:
    """The state, or ``None`` where it cannot be read: the index of a site must open all the same."""
    if not settings.USE_TZ:
        return None
    try:
        # A failed query would spoil the transaction of a site with ATOMIC_REQUESTS.
        inside = connection.connection().in_atomic_block
        with transaction.atomic(using=connection.alias()) if inside else contextlib.nullcontext():
            return fleet_state(timezone.now())
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not break a page of the site
        log.warning("memwatch: no state on the admin's index: %s", error)
        return None


def _door(name: str, model: Mapping[str, Any], state: FleetState | None) -> Door:
    text, tone = _told(name, state) if state else ("", "")
    return Door(name=model["name"].strip(), url=model["admin_url"], text=text or DOORS[name], tone=tone)


def _told(name: str, state: FleetState) -> tuple[str, str]:
    """The state of a door in a few words, and its tone."""
    if name == "leak":
        return _("%s open") % formats.count(state.leaks), state.worst[0].severity if state.worst else ""
    if name == "alert":
        return _("%s raised") % formats.count(state.alerts), "medium" if state.alerts else ""
    if name == "process":
        found = [_("%s alive") % formats.count(state.alive)]
        if state.silent:
            found.append(_("%s silent") % formats.count(state.silent))
        if state.deaths:
            text = ngettext("%s death in 24 h", "%s deaths in 24 h", state.deaths)
            found.append(text % formats.count(state.deaths))
        return ", ".join(found), "medium" if len(found) > 1 else ""
    return "", ""


def _headline(state: FleetState) -> str:
    if state.leaks:
        return ngettext("%s leak is open.", "%s leaks are open.", state.leaks) % formats.count(state.leaks)
    if not state.alive or state.silent == state.alive:
        return _("Leaks are unknown: no process reports.")
    if state.growing:
        text = ngettext(
            "No leak is open, but %s process grows.", "No leak is open, but %s processes grow.", state.growing
        )
        return text % formats.count(state.growing)
    if state.unknown:
        return _("No leak is open yet. %(some)s of %(all)s processes have too few object counts for a verdict.") % {
            "some": formats.count(state.unknown),
            "all": formats.count(state.alive),
        }
    return _("No leak is open.")


def _tone(state: FleetState) -> str:
    if state.worst:
        return str(state.worst[0].severity)
    if not state.alive or state.silent == state.alive:
        return ""
    return "medium" if state.growing else "" if state.unknown else "good"


def _worst(leak: Any) -> SafeString:
    return format_html(
        "{} {} {}",
        formats.severity_of(leak),
        formats.link_to(leak, evidence.held_in(leak) or evidence.name_of(leak)),
        _("in %s") % leak.service.name,
    )
