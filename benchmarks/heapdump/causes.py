"""*Find the cause* of each leak of a demo that runs: the seconds from the press to the holder, and its retained bytes.

Start ``make demo``, wait until its four leaks are open (two minutes), then

``MEMWATCH_ADMIN_PASSWORD=… python -m benchmarks.heapdump.causes --url http://127.0.0.1:8000``.

The truth is counted in a heap dump that is made right after: what no root reaches once the holder is taken away. As the
holder grows until then, both are compared by entry. Ends with 1 when a leak is not open, the holder is another one, the
bytes differ by more than 5 % or it took longer than 20 s.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from memwatch.heapdump.analysis.heap import Heap
from memwatch.heapdump.analysis.reaching import reached_from

LIMIT_S, DIFFERS = 20.0, 0.05
POLL_S, GIVE_UP_S = 0.1, 180.0
HOLDERS = {
    "shop.leaks.PriceQuote": ("shop.leaks.QUOTES", "shop.leaks.PriceQuote"),
    "shop.leaks.AuditReceiver": ("shop.leaks.order_placed", "shop.leaks.AuditReceiver"),
    "shop.models.Customer": ("lru_cache of shop.models.Customer.discount", "shop.models.Customer"),
    "untracked": ("shop.leaks.FRAGMENTS", "str"),
}
"""What keeps the objects, and the type by which a dump finds it."""


class Server:
    """The API of a demo."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url, self._headers = url.rstrip("/"), {"Content-Type": "application/json"}
        token = self.ask("POST", "token/", {"username": user, "password": password})["token"]
        self._headers["Authorization"] = f"Token {token}"

    def open(self, method: str, path: str, body: object = None) -> Any:
        """The answer, to be read."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self._url}/api/v1/{path}", method=method, headers=self._headers, data=data)
        return urllib.request.urlopen(asked, timeout=60)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of an answer."""
        with self.open(method, path, body) as answer:
            return json.load(answer)

    def leaks(self) -> dict[str, dict[str, Any]]:
        """The open ones of the shop, by type."""
        rows = self.ask("GET", "leaks/?state=open&service=shop&page_size=100")["results"]
        return {row["object_type"] if row["kind"] == "objects" else row["kind"]: row for row in rows}

    def recorded(self, asked: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """A recording that is over, and the seconds from the press to that; what follows it is cancelled."""
        began = time.monotonic()
        row = self._begun(asked)
        while row["state"] in ("requested", "running"):
            if time.monotonic() - began > GIVE_UP_S:
                raise TimeoutError(f"recording {row['id']} is {row['state']} after {GIVE_UP_S:.0f} s")
            time.sleep(POLL_S)
            row = self.ask("GET", f"recordings/{row['id']}/")
        seconds = time.monotonic() - began
        if row["state"] != "done":
            raise RuntimeError(f"recording {row['id']} is {row['state']}: {row['error']}")
        return row, seconds

    def _begun(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Once the recording before, which may be followed by another one, is out of the way."""
        for _ in range(100):
            try:
                return dict(self.ask("POST", "recordings/", asked))
            except urllib.error.HTTPError as error:
                if error.code != 409:
                    raise
            for row in self.ask("GET", "recordings/?state=requested,running")["results"]:
                self.ask("POST", f"recordings/{row['id']}/cancel/")
            time.sleep(1)
        raise TimeoutError("the process is being recorded by somebody else")

    def dump(self, process: int) -> Heap:
        """A heap dump of a process, made now."""
        row, _ = self.recorded({"process": process, "kind": "heap_dump"})
        with tempfile.NamedTemporaryFile(suffix=".heap") as file:
            with self.open("GET", f"recordings/{row['id']}/download/?as=heap") as answer:
                while part := answer.read(1 << 20):
                    file.write(part)
            file.flush()
            return Heap.open(Path(file.name))


def truth(heap: Heap, kept_type: str, holder_type: str) -> tuple[int, int]:
    """Bytes that no root reaches without the holder, and its entries."""
    graph = heap.graph
    groups = [each for each in heap.groups_of(kept_type) if graph.type_of(each.container).name == holder_type]
    container = max(groups, key=lambda each: each.count).container
    without = np.zeros(graph.nodes, np.bool_)
    without[container] = True
    freed = reached_from(graph, [graph.top]) & ~reached_from(graph, [graph.top], without=without)
    entries = int(graph.lengths[container])
    return int(graph.sizes[freed].sum()), entries


def main() -> int:
    """Press, wait, compare and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heapdump.causes", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="(default: %(default)s)")
    parser.add_argument("--user", default="admin", help="(default: %(default)s)")
    chosen = parser.parse_args()
    server = Server(chosen.url, chosen.user, os.environ["MEMWATCH_ADMIN_PASSWORD"])
    leaks, failed = server.leaks(), 0
    for name, (expected, kept_type) in HOLDERS.items():
        if name not in leaks:
            print(f"   {name}: no such leak is open", flush=True)
            failed += 1
            continue
        row, seconds = server.recorded({"leak": leaks[name]["id"]})
        holder = row["result"]["holder"] or {"name": "", "type": "", "retained_kb": 0.0, "length": 0}
        heap = server.dump(row["process"])
        size, entries = truth(heap, kept_type, holder["type"])
        counted = len(heap.graph.of_types(heap.graph.types_named(kept_type))) if entries == 0xFFFF_FFFF else entries
        each, true_each = holder["retained_kb"] * 1024 / max(1, holder["length"] or 0), size / max(1, counted)
        differs = each / true_each - 1
        good = expected in holder["name"] and abs(differs) <= DIFFERS and seconds <= LIMIT_S
        failed += not good
        measured = row["measured"]
        print(
            f"   {name}: {seconds:.1f} s (in the process {measured['duration_s']:.1f}), load {os.getloadavg()[0]:.1f}; "
            f"{holder['name']}; {holder['retained_kb']:.0f} KB of {holder['length']} entries, in the dump "
            f"{size / 1024:.0f} KB of {counted}: {differs:+.1%} an entry{'' if good else ' MISSED'}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
