"""Profiles that are pushed: each new recording with sizes goes to the Pyroscope server of ``PROFILES_URL``.

They wait in the outbox like notifications, and are sent and repeated as those are. The profile is made when it is sent.
"""

from __future__ import annotations

import base64
import dataclasses
import re
import secrets
import urllib.request
import uuid
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import unquote, urlencode, urlsplit

from memwatch.alerts import webhook
from memwatch.alerts.channels import Message
from memwatch.conf import Settings, get_settings
from memwatch.models import Notification, Recording, RecordingKind
from memwatch.profiles import sources
from memwatch.profiles.forms import FORMS
from memwatch.services.recordings import flamegraphs, profiles

KINDS = (RecordingKind.ALLOCATIONS, RecordingKind.FLAMEGRAPH, RecordingKind.HEAP_SUMMARY)
"""Not heap dumps: they may be read by those alone who have the permission for them."""
MAX_WAITING = 500
"""Profiles that wait for a server that is away; no more are put into the outbox then."""
MAKING_S = flamegraphs.TIMEOUT_S
"""Seconds for making a profile, besides those for sending it."""
MAX_BYTES = 16 * 1024 * 1024
_UNSAFE = re.compile(r"[^\w.:/@ -]")


@dataclasses.dataclass(frozen=True)
class ProfileChannel:
    """Pyroscope's ``POST /ingest``, which Grafana Cloud has too."""

    url: str = dataclasses.field(repr=False)
    tenant: str = ""
    at_once = 1

    @property
    def name(self) -> str:
        return f"profiles to {webhook.shown(self.url)}"

    def send(self, told: Sequence[Message], *, timeout_s: float) -> None:
        for message in told:
            recording = Recording.objects.select_related("process__service", "process__release").get(
                pk=message["recording"]
            )
            content = profiles.made(recording, "pprof")
            if len(content) > MAX_BYTES:
                raise webhook.DeliveryError(f"the profile has {len(content):,} bytes, {MAX_BYTES:,} are sent at most")
            webhook.deliver(self._request(recording, content), timeout_s=timeout_s)

    def _request(self, recording: Recording, content: bytes) -> urllib.request.Request:
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        boundary = secrets.token_hex(16)
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="profile"; '
            f'filename="profile.{FORMS["pprof"].suffix}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        ).encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": "memwatch"}
        if parts.username is not None:
            known = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(known).decode()}"
        if self.tenant:
            headers["X-Scope-OrgID"] = self.tenant
        return urllib.request.Request(  # noqa: S310 - the settings let http and https pass, no other scheme
            f"{parts.scheme}://{host}{parts.path.rstrip('/')}/ingest?{urlencode(_parameters(recording))}",
            data=body + content + f"\r\n--{boundary}--\r\n".encode(),
            method="POST",
            headers=headers,
        )


def _parameters(recording: Recording) -> dict[str, str | int]:
    ended = int((recording.finished_at or recording.requested_at).timestamp())
    seconds = sources.seconds(dict(recording.measured).get("duration_s"))
    process = recording.process
    labels = {
        "host": process.host,
        "slot": process.slot,
        "kind": recording.kind,
        "release": process.release.name if process.release is not None else "",
    }
    said = ",".join(f"{name}={_UNSAFE.sub('_', value)}" for name, value in labels.items() if value)
    return {
        "name": f"{_UNSAFE.sub('_', process.service.name)}{{{said}}}",
        "from": ended - max(1, round(seconds)),
        "until": ended,
        "format": "pprof",
        "spyName": "memwatch",
    }


def channel(settings: Settings) -> ProfileChannel | None:
    """Where profiles are pushed to, if anywhere."""
    return ProfileChannel(settings.profiles_url, settings.profiles_tenant) if settings.profiles_url else None


def put(recording: Recording, now: datetime) -> None:
    """Into the outbox, where profiles are pushed. Call it in the transaction that finishes the recording."""
    to = channel(get_settings())
    if to is None or recording.kind not in KINDS or recording.state != Recording.State.DONE:
        return
    waiting = Notification.objects.filter(channel=to.name, state=Notification.State.WAITING)
    full = waiting.count() >= MAX_WAITING
    key = uuid.uuid4()
    row = Notification(
        key=key,
        recording=recording,
        event=Notification.Event.INFO,
        channel=to.name,
        payload={"id": str(key), "type": "profile", "recording": recording.pk, "message": f"Profile: {recording}"},
        created_at=now,
        next_attempt_at=now,
        state=Notification.State.FAILED if full else Notification.State.WAITING,
        error=f"{MAX_WAITING} profiles wait already: is the server of PROFILES_URL away?" if full else "",
    )
    Notification.objects.bulk_create([row], ignore_conflicts=True)
