"""Whose figures they are: one resource for each watched process, one for each service, one for memwatch itself."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Mapping

from opentelemetry.sdk.resources import Resource

from memwatch import __version__
from memwatch.metrics.otlp.instruments import SCHEMA_URL
from memwatch.observation import Observed

Owner = tuple[str, str, str]
"""Service, host and slot, as the labels say them: empty texts for a whole service, and for memwatch itself."""
OWNER_LABELS = ("service", "host", "slot")
ITSELF: Owner = ("", "", "")

_OF_ONE = ("service.instance.id", "process.pid", "container.id", "host.name", "host.id")
"""What a process says of itself and not of its service, beside all of ``k8s.``."""
_INSTANCE = "service.instance.id"


def owner_of(labels: Mapping[str, str]) -> Owner:
    """Whose sample it is."""
    slot = labels.get("slot", "")
    return labels.get("service", ""), labels.get("host", "") if slot else "", slot


class Resources:
    """The resources of one observation. Each is made once."""

    def __init__(self, processes: Iterable[Observed]) -> None:
        self._processes = {owner_of(each.labels): each for each in processes}
        self._made: dict[Owner, Resource] = {}

    def of(self, owner: Owner) -> Resource:
        """That of this owner."""
        found = self._made.get(owner)
        if found is None:
            found = self._made[owner] = Resource(self._attributes(owner), SCHEMA_URL)
        return found

    def _attributes(self, owner: Owner) -> dict[str, str | int]:
        service, _host, slot = owner
        if owner == ITSELF:
            return {"service.name": "memwatch", "service.version": __version__, "host.name": socket.gethostname()}
        process = self._processes.get(owner)
        if slot and process is not None:
            return process_attributes(process)
        return self._service_attributes(service)

    def _service_attributes(self, service: str) -> dict[str, str | int]:
        """What most of its processes say."""
        said: dict[str, Counter[str]] = {}
        for (name, _host, _slot), process in self._processes.items():
            if name == service:
                for key, value in process.resource.items():
                    if key not in _OF_ONE and not key.startswith("k8s."):
                        said.setdefault(key, Counter())[value] += 1
        return {"service.name": service, **{key: counts.most_common(1)[0][0] for key, counts in said.items()}}


def process_attributes(process: Observed) -> dict[str, str | int]:
    """Of a watched process. Its environment's words go first, save for the identity of this one run.

    Workers that are forked share their environment: its ``service.instance.id`` would be that of them all.
    """
    service, host, slot = owner_of(process.labels)
    known = {
        "service.name": service,
        "service.version": process.release,
        "host.name": host,
        "process.runtime.name": "cpython" if process.python else "",
        "process.runtime.version": process.python,
    }
    found: dict[str, str | int] = {name: value for name, value in known.items() if value}
    found.update(process.resource)
    found[_INSTANCE] = process.instance or slot
    found["memwatch.slot"] = slot
    if process.pid is not None:
        found["process.pid"] = process.pid
    return found
