"""``/metrics`` of the web process."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import prometheus_client
import pytest
from django.db import OperationalError, connection
from django.test import Client
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.registry import Collector

from tests.api.conftest import Fleet
from tests.metrics.scraped import WEB_1, samples

TOKEN = "a-token-nobody-guesses"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def with_settings(settings: Any, transport_url: str) -> Callable[..., None]:
    def put(**values: Any) -> None:
        settings.MEMWATCH = {"METRICS_TOKEN": TOKEN, **values}

    put()
    return put


@pytest.mark.usefixtures("with_settings")
def test_the_token_opens_both_the_site_s_metrics_and_memwatch_s(client: Client, fleet: Fleet) -> None:
    client.get("/healthz")
    answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    found = samples(answer.content.decode())
    assert found["memwatch_up",] == found["memwatch_site_metrics_up",] == 1
    assert ("fogcompute_memory_rss_mb", *WEB_1) in found
    assert found["django_http_requests_before_middlewares_total",] > 0


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer ", "Bearer wrong", f"Token {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ü"]
)
@pytest.mark.usefixtures("with_settings")
def test_without_the_token_there_is_nothing(header: str | None, client: Client, fleet: Fleet) -> None:
    answer = client.get("/metrics", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert b"web-1" not in answer.content


def test_no_token_in_the_settings_lets_nobody_in(client: Client, with_settings: Callable[..., None]) -> None:
    with_settings(METRICS_TOKEN="")
    for header in ("Bearer", "Bearer ", "Bearer None"):
        assert client.get("/metrics", headers={"Authorization": header}).status_code == 401


def test_switched_off_there_is_no_such_page(client: Client, with_settings: Callable[..., None]) -> None:
    with_settings(METRICS_ENABLED=False)
    assert client.get("/metrics", headers=BEARER).status_code == 404


@pytest.mark.parametrize(
    ("meta", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000"}, 200),
        ({"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8000"}, 200),
        ({"REMOTE_ADDR": "::ffff:127.0.0.1", "HTTP_HOST": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_HOST": "localhost"}, 401),
        ({"REMOTE_ADDR": "", "HTTP_HOST": "localhost"}, 401),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "shop.example.org"}, 401),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 401),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "HTTP_X_FORWARDED_PROTO": "https"}, 401),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "HTTP_FORWARDED": "for=127.0.0.1"}, 401),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "HTTP_X_REAL_IP": "127.0.0.1"}, 401),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "HTTP_VIA": "1.1 proxy"}, 401),
    ],
)
def test_loopback_needs_no_token_only_where_it_comes_straight(
    meta: dict[str, str], status: int, client: Client, with_settings: Callable[..., None], settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    with_settings(METRICS_ALLOW_LOOPBACK=True)
    assert client.get("/metrics", **meta).status_code == status
    with_settings(METRICS_ALLOW_LOOPBACK=False)
    assert client.get("/metrics", **meta).status_code == 401


@pytest.mark.usefixtures("with_settings")
def test_openmetrics_and_gzip_where_they_are_asked_for(client: Client, fleet: Fleet) -> None:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
    answer = client.get("/metrics", headers={**BEARER, **accept})
    assert answer["Content-Encoding"] == "gzip"
    assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in parse_openmetrics(gzip.decompress(answer.content).decode())}
    assert {"memwatch_up", "fogcompute_memory_leak_detections", "django_http_requests_before_middlewares"} <= names


@pytest.mark.usefixtures("with_settings")
def test_a_database_that_is_away_fails_no_scrape(client: Client, fleet: Fleet) -> None:
    def fail(*_args: Any) -> Any:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(fail):
        answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    found = samples(answer.content.decode())
    assert found["memwatch_up",] == 0
    assert not [key for key in found if key[0].startswith("fogcompute")]
    assert found["memwatch_site_metrics_up",] == 1


@pytest.mark.usefixtures("with_settings")
def test_a_collector_of_the_site_that_fails_hides_none_of_memwatch_s(client: Client, fleet: Fleet) -> None:
    class Broken(Collector):
        def collect(self) -> Iterator[Metric]:
            raise RuntimeError("broken")

        def describe(self) -> list[Metric]:
            return []

    broken = Broken()
    prometheus_client.REGISTRY.register(broken)
    try:
        answer = client.get("/metrics", headers=BEARER)
    finally:
        prometheus_client.REGISTRY.unregister(broken)
    found = samples(answer.content.decode())
    assert (found["memwatch_up",], found["memwatch_site_metrics_up",]) == (1, 0)
    assert ("fogcompute_memory_rss_mb", *WEB_1) in found


@pytest.mark.usefixtures("with_settings")
def test_several_workers_metrics_are_summed_and_memwatch_s_are_there(
    client: Client, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    found = samples(client.get("/metrics", headers=BEARER).content.decode())
    assert found["memwatch_up",] == found["memwatch_site_metrics_up",] == 1
    assert ("fogcompute_memory_rss_mb", *WEB_1) in found
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "gone"))
    found = samples(client.get("/metrics", headers=BEARER).content.decode())
    assert (found["memwatch_up",], found["memwatch_site_metrics_up",]) == (1, 0)


@pytest.mark.usefixtures("with_settings")
def test_without_django_prometheus_memwatch_s_metrics_stand_alone(client: Client, fleet: Fleet, settings: Any) -> None:
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "django_prometheus"]
    found = samples(client.get("/metrics", headers=BEARER).content.decode())
    assert ("fogcompute_memory_rss_mb", *WEB_1) in found
    assert not [key for key in found if key[0].startswith(("django_", "python_", "memwatch_site"))]


@pytest.mark.usefixtures("with_settings")
def test_metrics_are_read_only_and_never_cached(client: Client) -> None:
    assert client.post("/metrics", headers=BEARER).status_code == 405
    assert "no-store" in client.get("/metrics", headers=BEARER)["Cache-Control"]
    head = client.head("/metrics", headers=BEARER)
    assert (head.status_code, head.content) == (200, b"")


def test_another_namespace_and_limit_are_taken_from_the_settings(
    client: Client, fleet: Fleet, with_settings: Callable[..., None]
) -> None:
    with_settings(METRICS_NAMESPACE="acme", METRICS_TYPE_LIMIT=1)
    found = samples(client.get("/metrics", headers=BEARER).content.decode())
    assert ("acme_memory_rss_mb", *WEB_1) in found
    types = {key[2] for key in found if key[0] == "acme_memory_object_count"}
    assert types == {"object_type=shop.leaks.PriceQuote", "object_type=other"}
