"""The health check answers while every thread of the web waits for the rest of a request."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from project import health_listener
from tests.servers import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A gunicorn with the deployment's configuration and a site that does nothing: its port and that of its health."""
    (tmp_path / "nothing.py").write_text(
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'x']\n"
    )
    web, health = free_port(), free_port()
    environment = {**os.environ, "PORT": str(web), "HEALTH_PORT": str(health), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "project/gunicorn_conf.py"), "nothing:app"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 20
            while answer(health) is None or answer(web) is None:
                assert time.monotonic() < deadline
            yield web, health
        finally:
            server.terminate()


def answer(port: int, timeout_s: float = 1.0) -> bytes | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=timeout_s) as found:
            return bytes(found.read())
    except OSError:
        return None


def test_half_sent_requests_do_not_keep_the_health_check_waiting(ports: tuple[int, int]) -> None:
    web, health = ports
    half_sent = [socket.create_connection(("127.0.0.1", web)) for _ in range(20)]
    for connection in half_sent:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    try:
        deadline = time.monotonic() + 10
        while answer(web) is not None:  # until every thread of both workers waits
            assert time.monotonic() < deadline
        assert [answer(health) for _ in range(5)] == [b'{"status":"ok"}'] * 5
    finally:
        for connection in half_sent:
            connection.close()


def test_silent_connections_do_not_delay_health_checks() -> None:
    port = free_port()
    listener = health_listener.listen("127.0.0.1", port)
    import threading

    threading.Thread(target=health_listener.serve, args=(listener,), daemon=True).start()
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    assert answer(port, timeout_s=5.0) == b'{"status":"ok"}'
    for connection in silent:
        connection.close()
    listener.close()
