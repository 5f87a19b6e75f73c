"""No leak: calls to some hundred servers through one ``PoolManager``, which keeps connections to the last forty.

Reported as urllib3/urllib3#1301: connections of a burst stay in the pool, as long as nothing takes their place.

Holder: ``_manager.pools``: the pool of each host, with its connection; the least used one makes room for another.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="connections kept in forty pools of urllib3",
    requires=("urllib3==2.2.3",),
    source="https://github.com/urllib3/urllib3/issues/1301",
)
_traffic = Traffic(238)
_manager: Any = None
_port = 0


class _Server(BaseHTTPRequestHandler):
    """Answers every path, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_values: object) -> None:
        """Be silent."""


def setup() -> None:
    global _manager, _port
    import urllib3

    server = ThreadingHTTPServer(("", 0), _Server)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _manager, _port = urllib3.PoolManager(num_pools=40), server.server_port


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        host = f"127.0.1.{1 + i // 200 * 37 % 150}"
        assert _manager.request("GET", f"http://{host}:{_port}/stock", timeout=10).data == b"ok"
