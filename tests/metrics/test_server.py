"""The exporter's server and its background refresh."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from memwatch.metrics import server as server_module
from memwatch.metrics.background_refresh import Refresher
from memwatch.metrics.rendered_page import Page
from memwatch.metrics.server import ListenError, MetricsServer, required_token


def page(value: float = 1) -> Page:
    return Page([GaugeMetricFamily("answer", "The answer.", value=value)])


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    running = MetricsServer(page, port=0)
    yield running
    running.stop()


def get(
    server: MetricsServer, path: str = "/metrics", method: str = "GET", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, path, headers={key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_the_server_serves_the_metrics(server: MetricsServer) -> None:
    status, body, headers = get(server)
    assert status == 200
    assert body == b"# HELP answer The answer.\n# TYPE answer gauge\nanswer 1.0\n"
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_gzip_and_openmetrics_where_they_are_asked_for(server: MetricsServer) -> None:
    _status, body, headers = get(server, Accept="application/openmetrics-text", Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert gzip.decompress(body).endswith(b"# EOF\n")


def test_other_paths_and_methods_are_answered(server: MetricsServer) -> None:
    assert get(server, "/")[0] == 200
    assert get(server, "/metrics?name=x")[0] == 200
    assert get(server, "/../etc/passwd")[0] == 404
    assert get(server, method="HEAD")[:2] == (200, b"")
    assert get(server, method="DELETE")[0] == 501


def test_a_client_that_hangs_holds_nobody_up(server: MetricsServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as hanging:
        hanging.sendall(b"GET /metr")
        assert get(server)[0] == 200


def test_a_client_that_hangs_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module._Handler, "timeout", 0.2)
    running = MetricsServer(page, port=0)
    try:
        with socket.create_connection(("127.0.0.1", running.port), timeout=5) as hanging:
            hanging.sendall(b"GET /metr")
            assert hanging.recv(100) == b""
    finally:
        running.stop()


def test_more_clients_than_there_is_room_for_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CLIENTS", 2)
    running = MetricsServer(page, port=0)
    try:
        held = [socket.create_connection(("127.0.0.1", running.port), timeout=5) for _ in range(3)]
        for client in held[:2]:
            client.sendall(b"GET /metr")
        assert held[2].recv(100) == b""
        for client in held:
            client.close()
    finally:
        running.stop()


def test_garbage_is_answered_or_hung_up_on(server: MetricsServer) -> None:
    for garbage in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"G" * 70_000 + b"\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            client.recv(1000)
    assert get(server)[0] == 200


def test_a_port_that_is_taken_and_an_address_that_is_not_ours_say_what_to_do(server: MetricsServer) -> None:
    with pytest.raises(ListenError, match=rf"port {server.port} on 127.0.0.1 is taken: stop what listens there"):
        MetricsServer(page, port=server.port)
    with pytest.raises(ListenError, match=r"port 0 on 192.0.2.1 cannot be listened on"):
        MetricsServer(page, address="192.0.2.1", port=0)
    with pytest.raises(ListenError, match=r"port 70000 on 127.0.0.1 cannot be listened on"):
        MetricsServer(page, port=70_000)


def test_stopping_frees_the_port_at_once() -> None:
    first = MetricsServer(page, port=0)
    started = time.monotonic()
    first.stop()
    assert time.monotonic() - started < 10
    MetricsServer(page, port=first.port).stop()


def families(value: float) -> list[Metric]:
    return [GaugeMetricFamily("answer", "The answer.", value=value)]


def test_a_refresh_renders_ahead_in_the_formats_that_were_asked_for() -> None:
    refresher = Refresher(lambda: families(2), interval_s=60)
    refresher.refresh()
    refresher.page().body("application/openmetrics-text", compressed=True)
    refresher.refresh()
    assert len(refresher.page().asked_for()) == 2


def test_figures_that_are_too_old_give_way_to_up_zero() -> None:
    now = [0.0]
    refresher = Refresher(lambda: families(2), interval_s=5, clock=lambda: now[0])
    refresher.refresh()
    now[0] = 14.9
    assert b"answer 2" in refresher.page().body()[0]
    now[0] = 15.1
    assert refresher.page().body()[0].endswith(b"memwatch_up 0.0\n")
    refresher.refresh()
    assert b"answer 2" in refresher.page().body()[0]


def test_a_reading_that_hangs_does_not_hang_the_scrape() -> None:
    hanging = threading.Event()
    refresher = Refresher(lambda: [] if hanging.wait(10) else families(2), interval_s=5)
    refresher.start()
    assert refresher.page().body()[0].endswith(b"memwatch_up 0.0\n")
    refresher.stop()
    hanging.set()


def test_who_reaches_it_from_another_host_sends_the_token() -> None:
    running = MetricsServer(page, port=0, token="right")
    try:
        assert get(running)[0] == 401
        assert get(running, Authorization="Bearer wrong")[0] == 401
        assert get(running, Authorization="Basic right")[0] == 401
        status, body, headers = get(running, Authorization="Bearer right")
        assert (status, headers["Cache-Control"]) == (200, "no-store")
        assert b"answer" in body
        assert b"answer" not in get(running, method="HEAD")[1]
        assert get(running, "/")[0] == 200, "the health check has no token"
    finally:
        running.stop()


@pytest.mark.parametrize("address", ["0.0.0.0", "", "::", "192.0.2.1", "exporter.example.org"])
def test_an_address_that_others_reach_wants_a_token(address: str) -> None:
    with pytest.raises(ListenError, match="METRICS_TOKEN"):
        required_token(address, "")
    assert required_token(address, "right") == "right"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_wants_none(address: str) -> None:
    assert required_token(address, "right") == ""
