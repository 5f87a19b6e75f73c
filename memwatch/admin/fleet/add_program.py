"""The page *Add a program*: the lines that another program needs, and whether its first report has arrived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats
from memwatch.admin.process_tables import slot_name
from memwatch.admin.row_page import Text
from memwatch.conf import get_settings
from memwatch.launch import lines
from memwatch.models import Process
from memwatch.queries.processes.lookup import alive_agents, service_named
from memwatch.transport import redacted

URL_NAME = "memwatch_process_program"
PERMISSION = "memwatch.see_command_key"
TEXT = gettext_lazy("The lines that start another Python program so that it reports here.")
REFRESH_S = 3
MOST_SHOWN = 5
HIDDEN = "***"

FORMS: Mapping[str, Promise] = {
    "shell": gettext_lazy("Shell"),
    "compose": gettext_lazy("Docker Compose"),
    "systemd": gettext_lazy("systemd"),
    "kubernetes": gettext_lazy("Kubernetes"),
    "env": gettext_lazy("Environment file"),
}


def url() -> str:
    """Of the page."""
    return reverse(f"admin:{URL_NAME}")


def context(given: str | None, now: datetime, *, may_see: bool) -> dict[str, Any]:
    """What the template shows.

    ``given``: the name of the service, ``None`` before one is asked for; ``may_see``: the user may see keys.
    """
    found: dict[str, Any] = {"title": _("Add a program"), "given": given or "", "refresh_s": REFRESH_S}
    if given is None:
        return found
    try:
        service = lines.service_name(given)
        texts = _texts(service, may_see=may_see)
    except ValueError as wrong:
        return {**found, "wrong": _("This cannot be used: %s.") % str(wrong)}
    settings = get_settings()
    return {
        **found,
        **_state(service, now),
        "service": service,
        "texts": texts,
        "notes": lines.notes(settings.agent_config(), settings.hub_url),
        "hidden": not may_see,
    }


def _texts(service: str, *, may_see: bool) -> list[Text]:
    environment = lines.variables(get_settings().agent_config(), service)
    if not may_see:
        shown = {"MEMWATCH_COMMAND_KEY": HIDDEN, "MEMWATCH_TRANSPORT": redacted(environment["MEMWATCH_TRANSPORT"])}
        environment |= {name: text for name, text in shown.items() if name in environment}
    texts = {form: lines.FORMATS[form](environment) for form in FORMS}
    texts["shell"] += f"memwatch run -- {lines.PROGRAM}\n"
    return [Text(title=str(FORMS[form]), text=text, copied=may_see) for form, text in texts.items()]


def _state(service: str, now: datetime) -> dict[str, Any]:
    row = service_named(service)
    found = alive_agents(MOST_SHOWN + 1, services=[row]) if row is not None else []
    if not found:
        return {"sentence": _("No process of %s reports yet.") % service, "tone": "medium"}
    text = ngettext(
        "%(count)s process of %(service)s reports.", "%(count)s processes of %(service)s report.", len(found)
    )
    return {
        "sentence": text % {"count": formats.at_most(len(found), MOST_SHOWN), "service": service},
        "tone": "good",
        "processes": [_reports(process, now) for process in found[:MOST_SHOWN]],
    }


def _reports(process: Process, now: datetime) -> SafeString:
    return format_html(
        _("{} on {}, last report {}"),
        formats.link(formats.page_url("process", process.pk), slot_name(process)),
        process.host,
        formats.when(process.last_seen_at, now),
    )
