"""A look at the reports that takes none from the ingest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from memwatch.transport import Peek, open_hub, open_peek, open_uplink
from memwatch.transport.peek import MOST_BYTES, Taking
from memwatch.transport.schema import MAX_REPORT_BYTES
from tests.servers import RedisServer


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.redis)])
def url(request: Any, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield f"local://{tmp_path}/transport"
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    yield f"{server.url}?prefix=peek"
    with redis.Redis.from_url(server.url) as client:
        for key in client.scan_iter("peek:*"):
            client.delete(key)


@pytest.fixture
def peek(url: str) -> Iterator[Peek]:
    looking = open_peek(url)
    yield looking
    looking.close()


def send(url: str, *payloads: bytes) -> None:
    uplink = open_uplink(url, "sender")
    for payload in payloads:
        uplink.send(payload)
    uplink.close()


def test_each_report_is_seen_once_and_stays_for_the_ingest(url: str, peek: Peek) -> None:
    assert peek.look() == []
    send(url, b"1", b"2")
    assert peek.look() == [b"1", b"2"]
    assert peek.look() == []
    send(url, b"3")
    assert peek.look() == [b"3"]
    hub = open_hub(url)
    assert [delivery.payload for delivery in hub.read(limit=10)] == [b"1", b"2", b"3"]
    assert hub.state().backlog == 3
    hub.close()


def test_one_look_brings_some_megabytes_at_most(url: str, peek: Peek) -> None:
    hub = open_hub(url)
    for _ in range(2):  # the first look reads from the end, those after it from the last position
        send(url, *[b"%03d" % number + bytes(MAX_REPORT_BYTES - 3) for number in range(40)])
        seen = peek.look()
        assert MOST_BYTES <= sum(map(len, seen)) < MOST_BYTES + 2 * MAX_REPORT_BYTES
        while found := hub.read(limit=100):
            hub.acknowledge(found)
    hub.close()


def test_what_an_ingest_has_claimed_is_seen_and_claiming_shows_nothing_twice(url: str, peek: Peek) -> None:
    send(url, b"1", b"2")
    hub = open_hub(url)
    first = hub.read(limit=1)
    assert peek.look() == [b"1", b"2"]
    hub.read(limit=10)
    assert peek.look() == []
    hub.acknowledge(first)
    hub.close()
    assert peek.look() == []


def test_peeking_takes_no_report_from_an_ingest(url: str, peek: Peek) -> None:
    hub = open_hub(url)
    seen, stored = [], []
    for number in range(20):
        send(url, b"%d" % number)
        seen += peek.look()
        deliveries = hub.read(limit=10)
        stored += [delivery.payload for delivery in deliveries]
        hub.acknowledge(deliveries)
    assert seen == stored == [b"%d" % number for number in range(20)]
    assert hub.state().lost == 0
    hub.close()


@pytest.mark.redis
def test_from_redis_even_what_was_acknowledged_meanwhile_is_seen_and_an_emptied_one_is_noticed(
    redis_server: RedisServer,
) -> None:
    url = f"{redis_server.url}?prefix=peek2"
    peek, hub = open_peek(url), open_hub(url)
    assert peek.look() == []
    send(url, b"1", b"2")
    hub.acknowledge(hub.read(limit=10))
    assert peek.look() == [b"1", b"2"]
    with redis.Redis.from_url(redis_server.url) as client:
        client.delete("peek2:up")
        client.xadd("peek2:up", {b"p": b"3"}, id="1-1")  # as a Redis with an older clock would number it
    assert peek.look() == [b"3"]
    peek.close()
    hub.close()


def test_nobody_else_reads_it_then_the_reports_are_taken_away(url: str) -> None:
    taking = Taking(open_hub(url))
    send(url, b"1", b"2")
    assert taking.look() == [b"1", b"2"]
    assert taking.look() == []
    taking.close()
    hub = open_hub(url)
    assert hub.state().backlog == 0
    hub.close()


def test_files_that_are_no_reports_are_left_alone(tmp_path: Path) -> None:
    url = f"local://{tmp_path}/transport"
    send(url, b"1")
    spool = tmp_path / "transport" / "spool"
    (spool / "notes.txt").write_text("x")
    (spool / ".half.report.tmp").write_text("x")
    (spool / "00000000000000000001-0123456789abcdef.report").mkdir()
    peek = open_peek(url)
    assert peek.look() == [b"1"]
    assert peek.look() == []
