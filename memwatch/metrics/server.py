"""A small HTTP server for one page of metrics: the fleet exporter's and the stand-alone exporter's. No Django."""

from __future__ import annotations

import errno
import hmac
import ipaddress
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from memwatch.metrics.rendered_page import Page, accepts_gzip

DEFAULT_PORT = 9202
CLIENT_TIMEOUT_S = 10.0
"""A client that sends or reads nothing for so long is let go."""
MAX_CLIENTS = 50
"""Connections served at once; more are closed at the door."""


_TEXT = "text/plain; charset=utf-8"


class ListenError(OSError):
    """The address cannot be served; the text says what to do."""


class MetricsServer:
    """Serves ``page()`` at ``/metrics`` from threads of its own until :meth:`stop`."""

    def __init__(
        self, page: Callable[[], Page], *, address: str = "127.0.0.1", port: int = DEFAULT_PORT, token: str = ""
    ) -> None:
        """With a ``token`` only who sends it as ``Authorization: Bearer …`` gets the page."""
        self._http = _listen(page, address, port)
        self._http.token = token.encode()
        self._thread = threading.Thread(target=self._serve, name="memwatch-exporter", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port listened on, also where 0 was asked for."""
        return int(self._http.server_address[1])

    def stop(self) -> None:
        """Stop listening; answers under way are cut off."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=2)

    def _serve(self) -> None:
        self._http.serve_forever(poll_interval=0.1)


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    page: Callable[[], Page]
    token: bytes = b""

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily) -> None:
        self.address_family = family
        self._room = threading.BoundedSemaphore(MAX_CLIENTS)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """As ``TCPServer`` does it: ``HTTPServer`` would ask a name server who we are."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _HTTPServer
    timeout = CLIENT_TIMEOUT_S
    server_version = "memwatch"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        if path == "/metrics" and not self._may_read():
            self._answer(HTTPStatus.UNAUTHORIZED, b'give "Authorization: Bearer ..." with the token\n', _TEXT)
        elif path == "/metrics":
            compressed = accepts_gzip(self.headers.get("Accept-Encoding", ""))
            body, content_type = self.server.page().body(self.headers.get("Accept", ""), compressed=compressed)
            self._answer(HTTPStatus.OK, body, content_type, compressed=compressed)
        elif path == "/":
            self._answer(HTTPStatus.OK, b"memwatch exporter: see /metrics\n", _TEXT)
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"not found: see /metrics\n", _TEXT)

    def _may_read(self) -> bool:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        right = self.server.token
        return not right or (
            scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), right)
        )

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str, *, compressed: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Bearer realm="metrics"')
        if compressed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept, Accept-Encoding")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Scrapes are not logged."""


def required_token(address: str, token: str) -> str:
    """What is to be sent by who scrapes: nothing where only this host reaches the address.

    Raises :class:`ListenError` for an address that others reach, without a token.
    """
    try:
        if address == "localhost" or ipaddress.ip_address(address).is_loopback:
            return ""
    except ValueError:
        pass  # a name
    if not token:
        raise ListenError(
            f"other hosts reach {address or 'all addresses'}, and there is no token: set METRICS_TOKEN (in the "
            "environment MEMWATCH_METRICS_TOKEN) and give it to Prometheus, or listen on 127.0.0.1"
        )
    return token


def _listen(page: Callable[[], Page], address: str, port: int) -> _HTTPServer:
    try:
        family, *_rest = socket.getaddrinfo(address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        server = _HTTPServer((address, port), family)
    except (OSError, OverflowError, UnicodeError) as error:
        where = f"port {port} on {address or 'all addresses'}"
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ListenError(f"{where} is taken: stop what listens there, or give another port") from error
        raise ListenError(f"{where} cannot be listened on ({error}): give another address or port") from error
    server.page = page
    return server
