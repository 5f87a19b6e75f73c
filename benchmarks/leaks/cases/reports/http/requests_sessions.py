"""No leak: a session of requests for each call to a server, never closed; its pools go with it.

Reported as psf/requests#4601 and #1685.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="sessions of requests, made and dropped",
    requires=("requests==2.31.0", "urllib3==2.0.5"),
    source="https://github.com/psf/requests/issues/4601",
)
_traffic = Traffic(81)
_requests: Any = None
_address = ""


class _Shop(BaseHTTPRequestHandler):
    """Answers every path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        page = f"<h1>{self.path}</h1>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_values: object) -> None:
        """Be silent."""


def setup() -> None:
    global _requests, _address
    import requests

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _requests, _address = requests, f"http://127.0.0.1:{server.server_port}"


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        assert _requests.Session().get(f"{_address}/order/{i}", timeout=10).ok
