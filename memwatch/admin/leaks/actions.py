"""What can be done to leaks: acknowledge, snooze, resolve, suppress, reopen, comment; and a snapshot of its process."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from memwatch.admin.actions import Act, ConfirmForm, Outcome, one_by_one
from memwatch.admin.fleet import actions
from memwatch.models import Leak
from memwatch.services.leaks import actions as leak_actions
from memwatch.services.leaks.actions import MAX_SNOOZE

OPEN, ACKNOWLEDGED, SNOOZED = Leak.State.OPEN, Leak.State.ACKNOWLEDGED, Leak.State.SNOOZED
RESOLVED, SUPPRESSED = Leak.State.RESOLVED, Leak.State.SUPPRESSED


def _moment(**options: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(widget=widget, **options)


def _tomorrow() -> datetime:
    return (timezone.localtime() + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)


def _zone() -> str:
    """The zone in which a time is read, with the current time in it."""
    words = {"zone": timezone.get_current_timezone_name(), "now": date_format(timezone.localtime(), "Y-m-d H:i")}
    return _("Time zone: %(zone)s, where it is now %(now)s.") % words


def _future(moment: datetime | None) -> datetime | None:
    if moment is not None and moment <= timezone.now():
        raise forms.ValidationError(_("This time is in the past. Choose a later one."))
    return moment


class CommentForm(ConfirmForm):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )


class SaidForm(CommentForm):
    """Requires a comment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["comment"].required = True


class SnoozeForm(CommentForm):
    until = _moment(label=gettext_lazy("Until"), initial=_tomorrow)
    field_order = ("until", "comment")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].help_text = _("At most one year from now. %s") % _zone()

    def clean_until(self) -> datetime | None:
        until = _future(self.cleaned_data["until"])
        if until is not None and until - timezone.now() > MAX_SNOOZE:
            raise forms.ValidationError(_("Choose a time within a year. To silence a leak for good, suppress it."))
        return until


class SuppressForm(ConfirmForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("E.g. “the price cache is meant to fill up”."),
    )
    until = _moment(label=gettext_lazy("Until"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].help_text = _("Leave empty to suppress it permanently. %s") % _zone()

    def clean_until(self) -> datetime | None:
        return _future(self.cleaned_data["until"])


def _state(leak: Leak) -> str:
    return str(leak.get_state_display())


def _snapshot(rows: Sequence[Leak], user: Any, values: Mapping[str, Any]) -> Outcome:
    processes = {leak.process.pk: leak.process for leak in rows if leak.process is not None}
    return actions.SNAPSHOT_PROCESS.run(list(processes.values()), user, values)


def _has_a_living_process(leak: Leak) -> bool:
    return leak.process is not None and actions.SNAPSHOT_PROCESS.applies(leak.process)


_LeakAct = functools.partial(Act, permission="act_on_leak", state=_state)

ACKNOWLEDGE = _LeakAct(
    name="acknowledge",
    label=gettext_lazy("Acknowledge"),
    becomes=Leak.State.ACKNOWLEDGED.label,
    run=one_by_one(leak_actions.acknowledge),
    done=ngettext_lazy("%d leak was acknowledged.", "%d leaks were acknowledged."),
    applies=lambda leak: leak.state in (OPEN, SNOOZED),
    consequence=gettext_lazy("Others see that you are working on it. memwatch keeps updating the leak."),
    form=CommentForm,
)
SNOOZE = _LeakAct(
    name="snooze",
    label=gettext_lazy("Snooze"),
    becomes=Leak.State.SNOOZED.label,
    run=one_by_one(leak_actions.snooze),
    done=ngettext_lazy("%d leak was snoozed.", "%d leaks were snoozed."),
    applies=lambda leak: leak.state in (OPEN, ACKNOWLEDGED, SNOOZED),
    consequence=gettext_lazy("The leak raises no alert until the time below, unless its severity rises."),
    form=SnoozeForm,
)
RESOLVE = _LeakAct(
    name="resolve",
    label=gettext_lazy("Resolve"),
    becomes=Leak.State.RESOLVED.label,
    run=one_by_one(leak_actions.resolve),
    done=ngettext_lazy("%d leak was resolved.", "%d leaks were resolved."),
    applies=lambda leak: leak.state != RESOLVED,
    consequence=gettext_lazy("memwatch closes the leak, and reopens it if it keeps growing."),
    form=CommentForm,
)
SUPPRESS = _LeakAct(
    name="suppress",
    label=gettext_lazy("Suppress as expected"),
    becomes=Leak.State.SUPPRESSED.label,
    run=one_by_one(leak_actions.suppress),
    done=ngettext_lazy("%d leak was suppressed.", "%d leaks were suppressed."),
    applies=lambda leak: leak.state not in (RESOLVED, SUPPRESSED),
    consequence=gettext_lazy(
        "memwatch expects this type to grow in this service from now on: it opens no leak and raises no alert. "
        "Undo this in the list of expected growth."
    ),
    form=SuppressForm,
)
REOPEN = _LeakAct(
    name="reopen",
    label=gettext_lazy("Reopen"),
    becomes=Leak.State.OPEN.label,
    run=one_by_one(leak_actions.reopen),
    done=ngettext_lazy("%d leak was reopened.", "%d leaks were reopened."),
    applies=lambda leak: leak.state != OPEN,
    consequence=gettext_lazy(
        "memwatch reopens the leak and raises its alert. If the leak was suppressed, memwatch also ends the expected "
        "growth that names exactly this type."
    ),
    form=CommentForm,
)
COMMENT = _LeakAct(
    name="comment",
    label=gettext_lazy("Comment"),
    run=one_by_one(leak_actions.comment),
    done=ngettext_lazy("Comment added to %d leak.", "Comment added to %d leaks."),
    becomes=gettext_lazy("unchanged, with the comment in its history"),
    form=SaidForm,
)
SNAPSHOT = Act(
    name="snapshot",
    label=gettext_lazy("Snapshot now"),
    permission="take_snapshot",
    run=_snapshot,
    done=actions.SNAPSHOT_PROCESS.done,
    applies=_has_a_living_process,
    confirm=False,
    listed=False,
)
"""Takes a snapshot of the leaking process, to update the evidence."""
