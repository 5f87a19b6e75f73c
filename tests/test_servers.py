"""The servers the tests start are the real ones."""

from __future__ import annotations

import psycopg
import pytest
import redis

from tests import servers


@pytest.mark.postgres
def test_postgresql_answers(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("select 'é😀'").fetchone() == ("é😀",)


@pytest.mark.redis
def test_redis_answers_over_tcp_and_its_socket(redis_server: servers.RedisServer) -> None:
    for url in (redis_server.url, redis_server.socket_url):
        with redis.Redis.from_url(url) as client:
            assert client.ping()


def test_a_missing_program_skips_unless_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWATCH_TEST_REQUIRE", "redis")
    with pytest.raises(pytest.skip.Exception, match="apt-get install it"):
        servers.require("postgres", None, "apt-get install it")
    monkeypatch.setenv("MEMWATCH_TEST_REQUIRE", "redis, postgres")
    with pytest.raises(pytest.fail.Exception, match="apt-get install it"):
        servers.require("postgres", None, "apt-get install it")
