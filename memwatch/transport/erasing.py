"""Taking a transport away: its folder, or its keys in Redis."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from memwatch.batches import batched
from memwatch.transport.command_server import SOCKETS
from memwatch.transport.flights import folder
from memwatch.transport.protocols import TransportUnavailable
from memwatch.transport.spool import CLAIMED, SPOOL

_MANY = 500


def traces(url: str) -> list[str]:
    """What a transport has left: folders, or keys. Raises :class:`TransportUnavailable` where it does not answer."""
    if urlsplit(url).scheme == "local":
        return [str(path) for root in _roots(url) for path in _folders(root)]
    with _redis(url) as (where, client):
        return [key.decode(errors="replace") for key in _keys(where, client)]


def erase(url: str) -> None:
    """Remove them; what else lies in the folder stays, and the folder with it. Raises as :func:`traces`."""
    if urlsplit(url).scheme == "local":
        for root in _roots(url):
            try:
                for path in _folders(root):
                    shutil.rmtree(path)  # which refuses a symbolic link
                with contextlib.suppress(FileNotFoundError):
                    root.rmdir()
            except OSError as error:
                raise TransportUnavailable(f"{error.filename or root} cannot be removed: {error.strerror}") from None
        return
    with _redis(url) as (where, client):
        keys = _keys(where, client)
        for some in batched(keys, _MANY):
            client.unlink(*some)


def _roots(url: str) -> list[Path]:
    return [each.path for each in folder.folders_of(url)]


def _folders(root: Path) -> list[Path]:
    return [root / name for name in (SPOOL, CLAIMED, SOCKETS, folder.FLIGHTS) if (root / name).is_dir()]


def _keys(where: Any, client: Any) -> list[bytes]:
    known = [key for key in (where.reports, where.hub) if client.exists(key)]
    many = [client.scan_iter(match=f"{where.prefix}:{name}:*", count=_MANY) for name in ("cmd", "flight")]
    return [*(key.encode() for key in known), *itertools.chain(*many)]


@contextlib.contextmanager
def _redis(url: str) -> Iterator[tuple[Any, Any]]:
    try:
        from memwatch.transport.redis.connection import RedisAddress  # noqa: PLC0415 - the client library is an extra
    except ImportError as error:
        raise TransportUnavailable(f"{error}: pip install 'memwatch[redis]'") from None
    where = RedisAddress(url)
    client = where.client()
    try:
        with where.errors_explained():
            yield where, client
    finally:
        client.close()
