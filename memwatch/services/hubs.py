"""The server's end of the transport: opened here, or lent by a worker where this process has no right to it.

An agent needs few rights: to append reports, to read commands. Whoever sends commands and takes in reports needs more,
and where a web process shall not have them (it may be taken over), ``HUB_TRANSPORT`` is ``worker`` there: its commands
go to a Celery worker as a task. The worker checks each as an agent would before it sends it on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from memwatch.conf import HUB_BY_WORKER, get_settings
from memwatch.models import Command
from memwatch.transport import Hub, TransportUnavailable, open_hub, wire

DELIVER = "memwatch.deliver_commands"
"""The task that sends commands for processes which may not."""
MOST_DELIVERED = 500
"""Commands in one task."""
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
    import celery  # noqa: PLC0415 - the hub is needed without it

    settings = get_settings()
    texts = {key: payload.decode() for key, payload in payloads.items()}
    ids = [wire.Command.decode(p, settings.command_key, now=datetime.now(UTC)).id for p in payloads.values()]
    try:
        for begin in range(0, len(texts), MOST_DELIVERED):
            part = dict(list(texts.items())[begin : begin + MOST_DELIVERED])
            celery.current_app.send_task(
                DELIVER,
                kwargs={"payloads": part, "wait_s": wait_s},
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


def checked(payloads: Mapping[str, str]) -> dict[str, bytes]:
    """Those that an agent would obey: signed, known, not expired, for the process that they are sent to."""
    key, now = get_settings().command_key, datetime.now(UTC)
    good = {}
    for target, text in list(payloads.items())[:MOST_DELIVERED]:
        payload = text.encode("utf-8", "surrogatepass")
        try:
            command = wire.Command.decode(payload, key, now=now)
        except wire.WireError:
            continue
        if command.target == target:
            good[target] = payload
    return good
