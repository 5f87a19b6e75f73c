"""Keys that sign commands: the deployment's own, and one for each service that is derived from it.

A program that has the key of its service can check the commands to that service, and sign no others.
"""

from __future__ import annotations

from collections.abc import Sequence

from memwatch.transport.digests import hmac_sha256

_PURPOSE = "memwatch.service:"


def service_key(key: str, service: str) -> str:
    """The key of a service, 64 hexadecimal digits: HMAC-SHA256 of its name under the deployment's key.

    Raises :class:`ValueError` without a key or a name.
    """
    if not key or not service:
        raise ValueError("a service's key is made of the deployment's key and the name of the service")
    return hmac_sha256(_bytes(key), _bytes(f"{_PURPOSE}{service}"))


def signing_keys(keys: Sequence[str], service: str) -> tuple[str, ...]:
    """What a command to a process of this service is signed with. ``keys``: the deployment's, the present one first.

    The first is what agents check that know one signature only; then those of the service, then earlier ones.
    """
    of_service = [service_key(key, service) for key in keys] if service else []
    return (keys[0], *of_service, *keys[1:])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
