"""The OpenTelemetry resource of this process: what its environment, its container and its pod say of it.

Only the variables that every OpenTelemetry SDK reads are read, so that the names of figures agree with those of traces.
Nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

import functools
import os
import re
import socket
from collections.abc import Mapping
from urllib.parse import unquote

from memwatch.sampling.procmem import read_bytes
from memwatch.sampling.redaction import HIDDEN, redact

SERVICE_NAME, ATTRIBUTES, IN_KUBERNETES = "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "KUBERNETES_SERVICE_HOST"
MOST_ATTRIBUTES = 40
MOST_VALUE = 255
MOST_READ = 8_000
"""Characters of the variable that are looked at."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,99}\Z")
_CONTAINER = re.compile(r"(?:/|-)([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)
_CONTAINER_MOUNT = re.compile(
    r"^\d+ \d+ \S+ \S*/(?:containers|overlay-containers)/([0-9a-f]{64})/\S* /etc/(?:hostname|hosts|resolv\.conf) ",
    re.MULTILINE,
)
_POD_MOUNT = re.compile(
    r"^\d+ \d+ \S+ \S*/pods/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/\S* /(?:etc/hosts|dev/termination-log) ",
    re.MULTILINE,
)
"""Mounted over the container's own files: a host's table shows the mounts of all its containers."""


def is_attribute(name: str, value: str) -> bool:
    """Whether it is one that this module reports."""
    return _NAME.match(name) is not None and 0 < len(value) <= MOST_VALUE and value.isprintable()


def attributes_of(environment: Mapping[str, str]) -> dict[str, str]:
    """What ``OTEL_RESOURCE_ATTRIBUTES`` and ``OTEL_SERVICE_NAME`` say, by name.

    An entry of another form and what looks like a secret are left out; a long value is cut.
    """
    entries = environment.get(ATTRIBUTES, "")[:MOST_READ].split(",")
    service = environment.get(SERVICE_NAME, "")[:MOST_READ].strip()
    found = dict([_entry(entry) for entry in entries])
    if service:
        found["service.name"] = service[:MOST_VALUE]
    kept = [(name, value) for name, value in found.items() if is_attribute(name, value) and HIDDEN not in value]
    kept.sort(key=lambda item: not item[0].startswith("service."))  # those of the service are not cut off
    return dict(kept[:MOST_ATTRIBUTES])


def _entry(entry: str) -> tuple[str, str]:
    name, _, value = entry.partition("=")
    name = name.strip()
    return name, redact(f"{name}={unquote(value.strip())}").partition("=")[2][:MOST_VALUE]


def surroundings_of(*, cgroup: str, mounts: str, pod: str, namespace: str) -> dict[str, str]:
    """Container and pod, as far as these texts show them. ``pod``: the host's name, or empty outside of Kubernetes."""
    container = _CONTAINER.search(cgroup) or _CONTAINER_MOUNT.search(mounts)
    uid = _POD_MOUNT.search(mounts)
    found = {
        "container.id": container[1] if container else "",
        "k8s.pod.uid": uid[1] if uid else "",
        "k8s.pod.name": pod.strip(),
        "k8s.namespace.name": namespace.strip(),
    }
    return {name: value for name, value in found.items() if is_attribute(name, value)}


def resource() -> dict[str, str]:
    """Those of this process. What its environment says goes before what its surroundings show."""
    environment = os.environ
    if type(environment) is not os._Environ:  # a host that has put something else in its place
        return dict(_surroundings(os.getpid(), kubernetes=False))
    try:
        said = attributes_of(environment)
        kubernetes = bool(environment.get(IN_KUBERNETES))
    except (ValueError, TypeError):
        said, kubernetes = {}, False
    return {**_surroundings(os.getpid(), kubernetes=kubernetes), **said}


@functools.lru_cache(maxsize=1)
def _surroundings(_pid: int, *, kubernetes: bool) -> dict[str, str]:
    return surroundings_of(
        cgroup=_text("/proc/self/cgroup"),
        mounts=_text("/proc/self/mountinfo", 1 << 20),
        pod=socket.gethostname() if kubernetes else "",
        namespace=_text("/var/run/secrets/kubernetes.io/serviceaccount/namespace") if kubernetes else "",
    )


def _text(path: str, limit: int = 65_536) -> str:
    return (read_bytes(path, limit) or b"").decode(errors="replace")
