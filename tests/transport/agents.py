"""A simulated agent: a thread that answers every command until it is told to stop."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from memwatch.transport import Uplink, open_uplink


def echo(command: bytes) -> bytes:
    return b"answer to " + command


@contextlib.contextmanager
def answering(url: str, *keys: str, how: Callable[[bytes], bytes] = echo) -> Iterator[list[Uplink]]:
    """Uplinks by process key, each answered by a thread of its own."""
    uplinks = [open_uplink(url, key) for key in keys]
    stop = threading.Event()
    failures: list[BaseException] = []

    def serve(uplink: Uplink) -> None:
        try:
            while not stop.is_set():
                incoming = uplink.receive(10)
                if incoming is not None:
                    uplink.answer(incoming, how(incoming.payload))
        except Exception as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=serve, args=(uplink,)) for uplink in uplinks]
    try:
        for uplink, thread in zip(uplinks, threads, strict=True):
            uplink.receive(0)  # listening from here on
            thread.start()
        yield uplinks
    finally:
        stop.set()
        for uplink, thread in zip(uplinks, threads, strict=True):
            uplink.wake()
            if thread.ident:
                thread.join(10)
            uplink.close()
    assert not failures, failures
