"""A health check that answers while every thread of the web waits for somebody to send the rest of a request.

Each gunicorn worker listens on ``HEALTH_PORT`` beside its own port (the kernel shares connections out among them) and
answers every connection, without reading the request. It says that the worker's interpreter runs, no more:
``/readyz`` says what the site can do.
"""

from __future__ import annotations

import contextlib
import socket
import threading

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\nConnection: close\r\n"
    b'Cache-Control: no-store\r\n\r\n{"status":"ok"}'
)
PATIENCE_S = 0.5
"""Seconds that a client has for its request: it is read so that closing does not reset the connection."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that several processes may have on the same port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen(64)
    return listener


def serve(listener: socket.socket) -> None:
    """Answer for ever."""
    while True:
        try:
            connection, _address = listener.accept()
        except OSError:
            return  # closed
        with connection, contextlib.suppress(OSError):
            connection.settimeout(PATIENCE_S)
            connection.sendall(ANSWER)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)


def start(host: str, port: int) -> None:
    """In a thread that ends with the process."""
    threading.Thread(target=serve, args=(listen(host, port),), name="health", daemon=True).start()
