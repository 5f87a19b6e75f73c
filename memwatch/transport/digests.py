"""SHA-256 and HMAC without OpenSSL, and random names.

:mod:`hashlib` loads OpenSSL's library, 3.5 MB in a process that does not need it for itself. Python's own functions
give the same digests. CPython can be built without them: then :mod:`hashlib` is loaded.
"""

from __future__ import annotations

import os
import sys
from _operator import _compare_digest
from collections.abc import Callable
from typing import Any


def _implementation() -> Any:
    """Of OpenSSL where the program has loaded that, else Python's own."""
    loaded = getattr(sys.modules.get("_hashlib"), "openssl_sha256", None)
    if loaded is not None:
        return loaded
    try:
        from _sha2 import sha256  # type: ignore[import-not-found]  # since 3.12  # noqa: PLC0415
    except ImportError:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found]  # noqa: PLC0415
        except ImportError:
            from hashlib import sha256  # noqa: PLC0415
    return sha256


_sha256 = _implementation()
_BLOCK = 64
"""Bytes of a block of SHA-256."""
_INNER, _OUTER = bytes(each ^ 0x36 for each in range(256)), bytes(each ^ 0x5C for each in range(256))

equal: Callable[[bytes, bytes], bool] = _compare_digest
"""In a time that does not depend on where they differ, as :func:`hmac.compare_digest`."""


def sha256_hex(data: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    digest: str = _sha256(data).hexdigest()
    return digest


def hmac_sha256(key: bytes, data: bytes) -> str:
    """HMAC with SHA-256 (RFC 2104) in hexadecimal digits."""
    block = (_sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner: bytes = _sha256(block.translate(_INNER) + data).digest()
    return sha256_hex(block.translate(_OUTER) + inner)


def token_hex(count: int) -> str:
    """As :func:`secrets.token_hex`: so many random bytes in hexadecimal digits."""
    return os.urandom(count).hex()
