"""The server's end of the transport: opened here, or lent by a worker where this process has no right to it.

An agent needs few rights: to append reports, to read commands. A process that sends commands needs more. Where a
web process must not have these rights (it may be taken over), ``HUB_TRANSPORT`` is ``worker`` there: its commands go
to a Celery worker as a task. The worker checks each as an agent would before it sends it on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from django.db import connections

from memwatch.batches import batched
from memwatch.conf import HUB_BY_WORKER, get_settings
from memwatch.models import Command, Process
from memwatch.transport import Hub, TransportUnavailable, open_hub, wire

DELIVER = "memwatch.deliver_commands"
"""The task that sends commands for processes which may not."""
MOST_DELIVERED = 500
"""Commands in one task."""
WITHOUT_ROW = frozenset({"reset_baseline", "cancel_recording"})
"""Commands that cost a process nothing, and are sent without a row of their own."""
NEVER_RELAYED = frozenset({"recycle"})
"""memwatch's own worker orders these for itself alone: a watched process may know the key and have been taken over."""
CLOCKS_APART_S = 30.0
"""What the clock of the web's machine may be ahead of the worker's."""
_LOOK_EVERY_S = 0.1


def is_lent() -> bool:
    """Whether this process leaves the hub to a worker."""
    return get_settings().hub_transport == HUB_BY_WORKER


def open_own() -> Hub:
    """This process's hub. Raises :class:`TransportUnavailable` where it has none of its own."""
    if is_lent():
        raise TransportUnavailable("HUB_TRANSPORT is worker: only Celery workers may use the transport's other end")
    return open_hub(get_settings().hub_url)


def ask_worker(payloads: Mapping[str, bytes], *, wait_s: float) -> None:
    """Let a worker send these signed commands, and wait up to ``wait_s`` seconds until their rows are answered.

    Raises :class:`TransportUnavailable` when the broker does not take the task.
    """
    try:
        import celery  # noqa: PLC0415 - the hub is needed without it
    except ModuleNotFoundError:
        raise TransportUnavailable("HUB_TRANSPORT is worker, and Celery is not installed") from None
    settings = get_settings()
    texts = {key: payload.decode() for key, payload in payloads.items()}
    ids = [wire.Command.decode(p, settings.command_key, now=datetime.now(UTC)).id for p in payloads.values()]
    try:
        for part in batched(list(texts.items()), MOST_DELIVERED):
            celery.current_app.send_task(
                DELIVER,
                kwargs={"payloads": dict(part), "wait_s": wait_s},
                queue=settings.task_queue,
                expires=30,
                ignore_result=True,
                retry=False,
            )
    except Exception as error:
        raise TransportUnavailable(f"no worker could be asked to send commands: {error}") from error
    until = time.monotonic() + wait_s
    while time.monotonic() < until and Command.objects.filter(wire_id__in=ids, state=Command.State.SENT).exists():
        time.sleep(_LOOK_EVERY_S)


def checked(payloads: Mapping[str, str], *, longest_s: float, most_a_minute: int) -> dict[str, bytes]:
    """Those that an operator may ask for, one running process each.

    Signed, known, not expired and not for long, for the process that they are sent to; what leaves a row has it, and
    the process was not asked more than ``most_a_minute`` times for the same.
    """
    keys, now = get_settings().command_keys, datetime.now(UTC)
    found: dict[str, tuple[wire.Command, bytes]] = {}
    for target, text in list(payloads.items())[:MOST_DELIVERED]:
        payload = text.encode("utf-8", "surrogatepass")
        try:
            command = wire.Command.decode(payload, *keys, now=now)
        except wire.WireError:
            continue
        if command.target == target and command.expires_at - now <= timedelta(seconds=longest_s + CLOCKS_APART_S):
            found[target] = command, payload
    running = Process.objects.filter(key__in=found, outside=False, ended_at=None)
    rows = Command.objects.filter(process__in=running.values("pk"), created_at__gt=now - timedelta(minutes=1))
    rows = rows.exclude(state=Command.State.REFUSED)
    asked = Counter(rows.values_list("process__key", "name"))
    known = set(rows.filter(state=Command.State.SENT).values_list("process__key", "name", "wire_id"))
    return {
        target: found[target][1]
        for target in running.values_list("key", flat=True)
        if _may_be_sent(found[target][0], known, asked[target, found[target][0].name], most_a_minute)
    }


def _may_be_sent(command: wire.Command, known: Collection[tuple[str, str, str]], asked: int, most: int) -> bool:
    if command.name in NEVER_RELAYED:
        return False
    if command.name in WITHOUT_ROW or connections[Command.objects.db].settings_dict.get("ATOMIC_REQUESTS"):
        return True  # a row of a request that is atomic is not to be seen before the request is over
    return asked <= most and (command.target, command.name, command.id) in known
