"""What can be done to processes and services: a snapshot now, a new baseline."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from memwatch.admin.actions import Act, ConfirmForm, Outcome, Refusal, one_by_one
from memwatch.models import Command, Process, Service
from memwatch.queries.processes.lookup import alive_agents
from memwatch.services import baselines, commands

SNAPSHOT_WAIT_S = 3.0
"""How long the page of one process waits for its snapshot."""


class ReasonForm(ConfirmForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"class": "vTextField", "autofocus": True}),
        help_text=gettext_lazy("For the record, e.g. “after the deployment of 2.4”."),
    )


def _key(values: Mapping[str, Any], row: Process | Service) -> str | None:
    key = values.get("key")
    return f"admin-{key}-{row.pk}" if key else None


def _reset_processes(processes: Sequence[Process], user: Any, values: Mapping[str, Any]) -> Outcome:
    """One waits for its fresh snapshot by itself; several are asked together first, so that the page waits but once."""
    wait_s = baselines.WAIT_S
    if len(processes) > 1:
        commands.request_snapshots([each for each in processes if each.is_alive], wait_s=baselines.WAIT_S)
        wait_s = 0.0

    def reset(process: Process, *, by: Any, reason: str) -> None:
        baselines.reset_process(process, by=by, reason=reason, idempotency_key=_key(values, process), wait_s=wait_s)

    return one_by_one(reset)(processes, user, values)


def _reset_services(services: Sequence[Service], user: Any, values: Mapping[str, Any]) -> Outcome:
    def reset(service: Service, *, by: Any, reason: str) -> None:
        baselines.reset_service(service, by=by, reason=reason, idempotency_key=_key(values, service))

    return one_by_one(reset)(services, user, values)


def _snapshot_processes(processes: Sequence[Process], user: Any, _values: Mapping[str, Any]) -> Outcome:
    """One process is waited for; several are only asked, and their snapshots arrive within seconds."""
    alone = len(processes) == 1
    asked = commands.request_snapshots(processes, by=user, wait_s=SNAPSHOT_WAIT_S if alone else 0.0)
    refused = [
        Refusal(obj=process, reason=command.detail or command.get_state_display())
        for process, command in zip(processes, asked, strict=True)
        if command.state in (Command.State.REFUSED, Command.State.FAILED)
    ]
    note = _("The snapshots arrive within seconds.")
    if alone:
        here = asked[0].state == Command.State.DONE
        note = (
            _("The snapshot has arrived.")
            if here
            else _("The process has not answered yet. The snapshot appears once it does.")
        )
    return Outcome(done=len(asked) - len(refused), refused=refused, note=note)


def _snapshot_services(services: Sequence[Service], user: Any, values: Mapping[str, Any]) -> Outcome:
    found = alive_agents(services=services)
    empty = [service for service in services if service.pk not in {process.service_id for process in found}]
    refused = [Refusal(obj=service, reason=_("none of its processes is alive")) for service in empty]
    outcome = _snapshot_processes(found, user, values) if found else Outcome(done=0)
    asked = ngettext("%d process was asked.", "%d processes were asked.", outcome.done) % outcome.done
    return Outcome(
        done=len(services) - len(empty) if outcome.done else 0,
        refused=[*refused, *outcome.refused],
        note=f"{asked} {outcome.note}",
    )


_Reset = functools.partial(
    Act, name="reset-baseline", label=gettext_lazy("Reset baseline"), permission="reset_baseline", form=ReasonForm
)
_Snapshot = functools.partial(
    Act, name="snapshot", label=gettext_lazy("Snapshot now"), permission="take_snapshot", confirm=False
)
RESET_PROCESS = _Reset(
    run=_reset_processes,
    done=ngettext_lazy("The baseline of %d process was reset.", "The baselines of %d processes were reset."),
    applies=lambda process: process.is_alive,
    becomes=gettext_lazy("compared with its current figures"),
    consequence=gettext_lazy(
        "The current figures become the baseline, and drift starts from 0 again. "
        "The old baseline stays in the list of baselines. Leaks are judged as before."
    ),
)
SNAPSHOT_PROCESS = _Snapshot(
    run=_snapshot_processes,
    done=ngettext_lazy("%d process was asked for a snapshot.", "%d processes were asked for a snapshot."),
    applies=lambda process: process.is_alive and not process.outside,
)
RESET_SERVICE = _Reset(
    run=_reset_services,
    done=ngettext_lazy("The baseline of %d service was reset.", "The baselines of %d services were reset."),
    becomes=gettext_lazy("its processes are compared with their current median"),
    consequence=gettext_lazy(
        "The current median of its processes becomes the baseline of all of them, including those "
        "that start later. The old baseline stays in the list of baselines."
    ),
)
SNAPSHOT_SERVICE = _Snapshot(
    run=_snapshot_services,
    done=ngettext_lazy("%d service was asked for snapshots.", "%d services were asked for snapshots."),
)
