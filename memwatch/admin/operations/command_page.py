"""The page of a command: what was asked of whom, what became of it, and what to do where nothing did."""

from __future__ import annotations

from datetime import datetime

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.panels import Line, Table, figure
from memwatch.admin.row_page import RowPage
from memwatch.models import Command
from memwatch.queries.deployment.operations import other_commands
from memwatch.queries.diagnosis.recordings import recording_of
from memwatch.queries.series.snapshots import snapshot_with_process

NAMES: dict[str, Promise] = {
    "ping": gettext_lazy("answer a ping"),
    "snapshot": gettext_lazy("take a snapshot"),
    "reset_baseline": gettext_lazy("reset the baseline"),
    "record": gettext_lazy("record"),
    "cancel_recording": gettext_lazy("stop recording"),
    "recycle": gettext_lazy("end after the current job"),
}
MOST_OTHERS = 10
_TONES = {
    Command.State.DONE: "good",
    Command.State.FAILED: "high",
    Command.State.REFUSED: "medium",
    Command.State.EXPIRED: "medium",
}
_ADVICE: dict[str, tuple[Promise, ...]] = {
    Command.State.REFUSED: (
        gettext_lazy(
            "An agent refuses a command that is not signed with its COMMAND_KEY, has expired, was "
            "received before, or exceeds its limits. Its answer above says which."
        ),
        gettext_lazy("“manage.py memwatch_doctor” checks that all processes have the same key."),
    ),
    Command.State.FAILED: (
        gettext_lazy("The process tried and failed. Its answer above says why; its log says more."),
    ),
    Command.State.EXPIRED: (
        gettext_lazy("Has the process ended since, or does it hang? Its page says when it was last seen."),
        gettext_lazy("May its agent read commands? Its rights on the transport may only let it send reports."),
        gettext_lazy("Do the clocks of the two machines differ by minutes? A process does not run an expired command."),
    ),
}


def name_of(command: Command) -> str:
    """What it asks for, in words."""
    return str(NAMES.get(command.name, command.name))


def took_s(command: Command) -> float | None:
    """How long the answer took; ``None`` without one."""
    if command.answered_at is None:
        return None
    return max(0.0, (command.answered_at - command.created_at).total_seconds())


def seconds(value: float | None) -> str:
    """``1.5 s``; longer times as elsewhere."""
    if value is None:
        return formats.NOT_MEASURED
    return _("%s s") % formats.decimal(value) if value < formats.MINUTE else formats.duration(value)


def page(command: Command, now: datetime) -> RowPage:
    """The page of a command; load it with its process and user."""
    process = command.process
    return RowPage(
        title=capfirst(name_of(command)),
        subtitle=_("sent to %s") % process,
        state=formats.state_of(command),
        sentence=_sentence(command, now),
        tone=_TONES.get(Command.State(command.state), "") if command.state in Command.State.values else "",
        facts=[
            formats.link_to(process),
            format_html(_("sent {} by {}"), formats.when(command.created_at, now), command.created_by or "memwatch"),
        ],
        tiles=[
            Line(label=_("Answered after"), value=seconds(took_s(command))),
            *([] if command.answered_at else [Line(label=_("Expires"), value=formats.when(command.expires_at, now))]),
            *_came_of_it(command),
        ],
        advice=[str(each) for each in _ADVICE.get(command.state, ())],
        tables=[
            Table(
                title=_("Other commands to this process"),
                names=[_("Command"), _("State"), _("Sent"), _("Answered after"), _("By"), _("Answer")],
                cells=[
                    [
                        formats.link_to(each, name_of(each)),
                        formats.state_of(each),
                        formats.when(each.created_at, now),
                        figure(seconds(took_s(each)), took_s(each)),
                        str(each.created_by or _("memwatch")),
                        each.detail,
                    ]
                    for each in other_commands(command, MOST_OTHERS)
                ],
                empty=_("No other command was sent to it."),
            )
        ],
    )


def _sentence(command: Command, now: datetime) -> str | SafeString:
    if command.state == Command.State.SENT:
        if command.expires_at > now:
            return _("It was sent; the process has not answered yet.")
        return _("It was not answered in time and expires within a minute.")
    if command.state == Command.State.DONE:
        text = _("The process has done it.")
    elif command.state == Command.State.EXPIRED:
        text = _("It expired without an answer; the process will not run it.")
    else:
        text = (
            _("The process refused.") if command.state == Command.State.REFUSED else _("The process tried and failed.")
        )
    return f"{text} {_('Its answer: %s') % command.detail}" if command.detail else text


def _came_of_it(command: Command) -> list[Line]:
    found = []
    if command.snapshot_id is not None:
        # It may have been pruned, and a page that is gone is no link.
        row = snapshot_with_process(command.snapshot_id)
        if row is None:
            found.append(Line(label=_("Snapshot"), value=_("pruned"), hint=f"#{command.snapshot_id}"))
        else:
            hint = _("RSS %s") % formats.kib(row.rss_kib)
            found.append(
                Line(label=_("Snapshot"), value=_("open"), hint=hint, url=formats.page_url("snapshot", row.pk))
            )
    recording = recording_of(command)
    if recording is not None:
        url = formats.page_url("recording", recording.pk)
        kind = capfirst(str(recording.get_kind_display()))
        found.append(Line(label=_("Recording"), value=kind, hint=recording.get_state_display(), url=url))
    return found
