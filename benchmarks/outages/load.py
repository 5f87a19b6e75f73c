"""Asks two servers in turn as fast as they answer: ``python -m benchmarks.outages.load PORT PORT FILE``.

The first is watched, the second is not. Each request becomes three numbers in the file: when it began (monotonic
seconds, the same clock in every process), which server, how long it took.
"""

from __future__ import annotations

import http.client
import signal
import sys
import time
from array import array
from pathlib import Path

FLUSH_EVERY = 100


def _ask(connection: http.client.HTTPConnection) -> float:
    began = time.perf_counter()
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise RuntimeError(f"the host answered {response.status}")
    return time.perf_counter() - began


def main() -> None:
    """Until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    *ports, path = sys.argv[1:]
    servers = [http.client.HTTPConnection("127.0.0.1", int(port), timeout=30) for port in ports]
    with Path(path).open("wb") as file:
        turn = 0
        while True:
            found = array("d")
            for _ in range(FLUSH_EVERY):
                turn += 1
                for which in (0, 1) if turn % 2 else (1, 0):
                    began = time.monotonic()
                    found.extend((began, which, _ask(servers[which])))
            found.tofile(file)
            file.flush()


if __name__ == "__main__":
    main()
