"""The transport over a real redis-server: users, outages, trimming, gevent."""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from memwatch.transport import HubState, TransportUnavailable, open_hub, open_uplink
from memwatch.transport.flights.checks import MAX_FLIGHT_BYTES
from memwatch.transport.protocols import address
from memwatch.transport.redis import hub as redis_hub
from memwatch.transport.redis import uplink as redis_transport
from memwatch.transport.redis.connection import AGENT_ACL, AGENT_ACL_6
from memwatch.transport.redis.hub import RedisHub
from memwatch.transport.redis.uplink import RedisUplink
from tests.servers import RedisServer, free_port, redis_program
from tests.transport.agents import answering
from tests.waiting import until

pytestmark = pytest.mark.redis
_numbers = itertools.count()


@pytest.fixture
def prefix() -> str:
    return f"r{next(_numbers)}"


@pytest.fixture
def url(redis_url: str, prefix: str) -> str:
    return f"{redis_url}?prefix={prefix}"


@pytest.fixture
def hub(url: str) -> Iterator[RedisHub]:
    hub = RedisHub(url)
    yield hub
    hub.close()


@pytest.fixture
def uplink(url: str) -> Iterator[RedisUplink]:
    uplink = RedisUplink(url, "key")
    yield uplink
    uplink.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    server = RedisServer(redis_program())
    try:
        server.start()
        yield server
    finally:
        server.stop()


def without_age_and_bytes(state: HubState) -> tuple[int, int]:
    return state.backlog, state.lost


def test_an_agents_user_suffices_and_can_do_nothing_else(
    redis_server: RedisServer, prefix: str, client: redis.Redis
) -> None:
    rules = AGENT_ACL.format(prefix=prefix).split()
    client.execute_command("ACL", "SETUSER", f"agent-{prefix}", "on", ">sec ret", "-@all", *rules)
    restricted = f"redis://agent-{prefix}:sec%20ret@127.0.0.1:{redis_server.port}"
    url = f"{restricted}/3?prefix={prefix}"
    hub = open_hub(f"redis://127.0.0.1:{redis_server.port}/3?prefix={prefix}")
    with answering(url, "key") as uplinks:
        uplinks[0].leave(b"last")
        assert hub.left("key") == b"last"
        assert hub.request({"key": b"1"}, timeout_s=5) == {"key": b"answer to 1"}
        assert hub.request({"*": b"2"}, timeout_s=0.5) == {"key": b"answer to 2"}
    assert len(hub.read(limit=9)) == 2
    hub.close()

    with redis.Redis.from_url(restricted) as agent:
        for forbidden in (
            ("XADD", f"{prefix}:cmd:all", "*", "c", "forged"),
            ("XREAD", "STREAMS", f"{prefix}:up", "0"),
            ("XADD", "another", "*", "a", "b"),
            ("DEL", f"{prefix}:up"),
            ("SET", f"{prefix}:up", "x"),
            ("GET", f"{prefix}:flight:{address('key')}"),
            ("SET", f"{prefix}:flight:{address('key')}", "x", "GET"),
            ("KEYS", "*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                agent.execute_command(*forbidden)

    other = open_uplink(f"{restricted}/0?prefix=another", "key")
    with pytest.raises(TransportUnavailable, match=r"agents need .*%W~another:up") as caught:
        other.send(b"x")
    assert "sec ret" not in str(caught.value)
    other.close()


def test_an_agents_user_of_redis_6_can_do_all_but_leave_a_last_record(
    redis_server: RedisServer, prefix: str, client: redis.Redis
) -> None:
    """Redis 6.2 has no selectors and no rights for one direction. What it lacks harms nothing else."""
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    assert f"resetchannels -@all {AGENT_ACL_6.format(prefix='mw')}\n" in page
    assert not set("%()") & set(AGENT_ACL_6)
    rules = AGENT_ACL_6.format(prefix=prefix).split()
    client.execute_command("ACL", "SETUSER", f"six-{prefix}", "on", ">secret", "resetchannels", "-@all", *rules)
    url = f"redis://six-{prefix}:secret@127.0.0.1:{redis_server.port}/3?prefix={prefix}"
    hub = open_hub(f"redis://127.0.0.1:{redis_server.port}/3?prefix={prefix}")
    with answering(url, "key") as uplinks:
        with pytest.raises(TransportUnavailable, match=r"docs/security\.md"):
            uplinks[0].leave(b"last")
        assert hub.left("key") is None
        uplinks[0].send(b"goes on")
        assert hub.request({"key": b"1"}, timeout_s=5) == {"key": b"answer to 1"}
    assert len(hub.read(limit=9)) == 2
    hub.close()


def test_wrong_passwords_are_not_shown(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"redis://nobody:Tops3cret@127.0.0.1:{redis_server.port}/0"
    uplink, hub = open_uplink(url, "key"), open_hub(url)
    for work in (
        lambda: uplink.send(b"x"),
        lambda: uplink.receive(0),
        lambda: hub.read(limit=1),
        hub.state,
        lambda: hub.request({"a": b"1"}, timeout_s=1),
    ):
        with pytest.raises(TransportUnavailable, match="password are wrong") as caught:
            work()
        assert "Tops3cret" not in "".join(traceback.format_exception(caught.value))
    uplink.close()
    hub.close()
    assert "Tops3cret" not in caplog.text


def test_a_unix_socket_serves_too(redis_server: RedisServer, prefix: str) -> None:
    url = f"{redis_server.socket_url}&prefix={prefix}"
    hub = open_hub(url)
    with answering(url, "key"):
        assert hub.request({"key": b"1"}, timeout_s=5) == {"key": b"answer to 1"}
    assert len(hub.read(limit=9)) == 1
    hub.close()


class _TlsRedis(RedisServer):
    """Serves TLS as well, on a port that each attempt to start chooses again."""

    def command(self) -> list[str]:
        self.secure_port = free_port()
        return [
            *super().command(), "--tls-port", str(self.secure_port), "--tls-auth-clients", "no",
            "--tls-cert-file", str(self.folder / "cert.pem"), "--tls-key-file", str(self.folder / "key.pem"),
        ]  # fmt: skip


def test_tls_serves_too(tmp_path_factory: pytest.TempPathFactory, prefix: str) -> None:
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
        ],
        capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    server = _TlsRedis(redis_program())
    for name in ("key.pem", "cert.pem"):
        (server.folder / name).write_bytes((folder / name).read_bytes())
        (server.folder / name).chmod(0o644)
    try:
        server.start()
        url = f"rediss://127.0.0.1:{server.secure_port}/0?prefix={prefix}&ssl_ca_certs={folder}/cert.pem"
        hub = open_hub(url)
        with answering(url, "key", how=lambda _: b"x" * 900_000):
            for _ in range(3):
                assert len(hub.request({"key": b"c" * 15_000}, timeout_s=5)["key"]) == 900_000
        hub.close()
    finally:
        server.stop()


def test_a_stopped_redis_is_noticed_in_bounded_time_and_its_return_too(own_server: RedisServer) -> None:
    uplink, hub = open_uplink(own_server.url, "key"), open_hub(own_server.url)
    uplink.send(b"1")
    uplink.receive(0)
    own_server.pause()
    for work in (lambda: uplink.send(b"2"), lambda: hub.read(limit=1)):
        began = time.monotonic()
        with pytest.raises(TransportUnavailable):
            work()
        assert time.monotonic() - began < 6
    began = time.monotonic()
    assert uplink.receive(0.2) is None  # it may only be quiet
    assert time.monotonic() - began < 1
    own_server.resume()
    uplink.send(b"3")
    hub.notify({"key": b"hello"})
    incoming = uplink.receive(5)
    assert incoming is not None
    assert incoming.payload == b"hello"
    received = [delivery.payload for delivery in hub.read(limit=9)]
    assert received in ([b"1", b"3"], [b"1", b"2", b"3"])  # what timed out may have arrived
    uplink.close()
    hub.close()


def test_a_redis_that_falls_silent_is_noticed_by_receive(
    own_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_transport, "BLOCK_S", 0.2)
    monkeypatch.setattr(redis_transport, "_GRACE_S", 0.3)
    uplink = open_uplink(own_server.url, "key")
    assert uplink.receive(1) is None  # asked several times meanwhile
    own_server.pause()
    began = time.monotonic()
    with pytest.raises(TransportUnavailable, match="silent"):
        uplink.receive(10)
    assert time.monotonic() - began < 2
    own_server.resume()
    assert uplink.receive(0.1) is None
    uplink.close()


def test_a_killed_redis_is_noticed_at_once_and_its_return_too(own_server: RedisServer) -> None:
    uplink, hub = open_uplink(own_server.url, "key"), open_hub(own_server.url)
    uplink.send(b"1")
    uplink.receive(0)
    assert len(hub.read(limit=9)) == 1
    own_server.kill()
    for work in (
        lambda: uplink.receive(5),
        lambda: uplink.receive(5),
        lambda: uplink.send(b"2"),
        lambda: uplink.send(b"2"),
        lambda: hub.read(limit=1),
        hub.state,
        lambda: hub.request({"a": b"1"}, timeout_s=1),
    ):
        began = time.monotonic()
        with pytest.raises(TransportUnavailable):
            work()
        assert time.monotonic() - began < 1.5
    own_server.start()
    assert uplink.receive(0.05) is None
    uplink.send(b"3")
    hub.notify({"key": b"hello"})
    assert uplink.receive(5) is not None
    assert [delivery.payload for delivery in hub.read(limit=9)] == [b"3"]
    assert hub.state().lost == 0
    uplink.close()
    hub.close()


def test_reports_of_an_outage_arrive_from_a_sender_that_keeps_trying(own_server: RedisServer) -> None:
    uplink = open_uplink(own_server.url, "key")
    pending = [str(number).encode() for number in range(200)]
    waits: list[float] = []

    def send_all() -> None:
        while pending:
            began = time.monotonic()
            try:
                uplink.send(pending[0])
            except TransportUnavailable:
                waits.append(time.monotonic() - began)
                time.sleep(0.05)
            else:
                pending.pop(0)
                time.sleep(0.005)

    thread = threading.Thread(target=send_all)
    thread.start()
    for _ in range(2):
        time.sleep(0.2)
        own_server.pause()
        time.sleep(2.5)
        own_server.resume()
    thread.join(30)
    assert not pending
    assert waits
    assert max(waits) < 3.5
    hub = open_hub(own_server.url)
    assert {delivery.payload for delivery in hub.read(limit=500)} == {str(number).encode() for number in range(200)}
    assert hub.state().lost == 0
    hub.close()
    uplink.close()


def test_reports_trimmed_before_they_were_read_are_counted(
    uplink: RedisUplink, hub: RedisHub, client: redis.Redis, prefix: str
) -> None:
    for number in range(10):
        uplink.send(str(number).encode())
    hub.acknowledge(hub.read(limit=10))
    assert hub.state().lost == 0
    for number in range(30):
        uplink.send(str(number).encode())
    client.xtrim(f"{prefix}:up", maxlen=12, approximate=False)
    assert without_age_and_bytes(hub.state()) == (12, 18)  # seen before anybody reads
    first = hub.read(limit=5)
    assert [delivery.payload for delivery in first] == [b"18", b"19", b"20", b"21", b"22"]
    assert without_age_and_bytes(hub.state()) == (12, 18)
    hub.acknowledge(first + hub.read(limit=100))
    assert without_age_and_bytes(hub.state()) == (0, 18)
    for _ in range(4):
        uplink.send(b"x")
    client.xtrim(f"{prefix}:up", maxlen=1, approximate=False)
    assert [delivery.payload for delivery in hub.read(limit=100)] == [b"x"]
    assert hub.state().lost == 21


def test_reports_trimmed_before_the_first_hub_was_there_are_counted(
    uplink: RedisUplink, hub: RedisHub, client: redis.Redis, prefix: str
) -> None:
    for _ in range(20):
        uplink.send(b"x")
    client.xtrim(f"{prefix}:up", maxlen=5, approximate=False)
    assert len(hub.read(limit=100)) == 5
    assert hub.state().lost == 15


def test_reports_trimmed_while_a_dead_reader_held_them_are_counted(
    uplink: RedisUplink, url: str, client: redis.Redis, prefix: str
) -> None:
    for _ in range(6):
        uplink.send(b"x")
    RedisHub(url).read(limit=4)
    client.xtrim(f"{prefix}:up", maxlen=1, approximate=False)
    hub = RedisHub(url, lease_s=0.02)
    assert len(until(lambda: hub.read(limit=100))) == 1
    state = hub.state()
    assert without_age_and_bytes(state) == (1, 5)
    hub.close()


def test_claims_on_trimmed_reports_are_dropped_with_redis_6(
    uplink: RedisUplink, hub: RedisHub, client: redis.Redis, prefix: str
) -> None:
    for _ in range(6):
        uplink.send(b"x")
    held = hub.read(limit=6)
    client.xdel(f"{prefix}:up", held[1].id, held[4].id)
    assert hub.forget_trimmed() == 2
    assert without_age_and_bytes(hub.state()) == (4, 2)


def test_losses_are_estimated_with_redis_6(
    uplink: RedisUplink, hub: RedisHub, client: redis.Redis, prefix: str
) -> None:
    hub.estimates_losses = True
    uplink.send(b"x")
    hub.acknowledge(hub.read(limit=1))
    assert without_age_and_bytes(hub.state()) == (0, 0)
    for _ in range(100):
        uplink.send(b"x")
        time.sleep(0.002)
    client.xtrim(f"{prefix}:up", maxlen=50, approximate=False)
    assert len(hub.read(limit=100)) == 50
    assert 25 <= hub.state().lost <= 100


def test_the_stream_stays_within_its_limit_without_a_reader(redis_url: str, prefix: str, client: redis.Redis) -> None:
    uplink = open_uplink(f"{redis_url}?prefix={prefix}&maxlen=500", "key")
    for _ in range(1500):
        uplink.send(b"x")
    assert 500 <= client.xlen(f"{prefix}:up") <= 700
    hub = open_hub(f"{redis_url}?prefix={prefix}&maxlen=500")
    got = 0
    while deliveries := hub.read(limit=200):
        got += len(deliveries)
        hub.acknowledge(deliveries)
    assert got + hub.state().lost == 1500
    hub.close()
    uplink.close()


def test_what_was_acknowledged_is_trimmed_but_never_what_was_not(
    uplink: RedisUplink, hub: RedisHub, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memwatch.transport.redis.hub.KEPT_S", -5)
    for _ in range(500):
        uplink.send(b"x" * 1000)
    first = hub.read(limit=300)
    hub.acknowledge(first[:200])
    assert 300 <= client.xlen(f"{prefix}:up") < 500
    hub.acknowledge(first[200:] + hub.read(limit=300))
    assert 1 <= client.xlen(f"{prefix}:up") < 100
    assert without_age_and_bytes(hub.state()) == (0, 0)
    uplink.send(b"last")
    assert [delivery.payload for delivery in hub.read(limit=10)] == [b"last"]
    assert hub.state().lost == 0


def test_a_flushed_redis_is_begun_anew(uplink: RedisUplink, hub: RedisHub, client: redis.Redis, prefix: str) -> None:
    uplink.send(b"1")
    assert len(hub.read(limit=9)) == 1
    client.delete(f"{prefix}:up", f"{prefix}:hub")
    assert hub.state().backlog == 0
    uplink.send(b"2")
    assert [delivery.payload for delivery in hub.read(limit=9)] == [b"2"]


def test_odd_entries_do_no_harm(uplink: RedisUplink, hub: RedisHub, client: redis.Redis, prefix: str) -> None:
    client.xadd(f"{prefix}:up", {"nonsense": "1"})
    client.xadd(f"{prefix}:up", {"p": b"x" * 3_000_000, "k": b"\xff", "c": b"\xff"})
    uplink.send(b"good")
    assert [len(delivery.payload) for delivery in hub.read(limit=9)] == [0, 1024 * 1024 + 1, 4]
    with answering(f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}/0?prefix={prefix}", "a"):
        timer = threading.Timer(0.1, client.xadd, (f"{prefix}:up", {"k": b"\xff\xfe", "p": "x", "c": b"\xff"}))
        timer.start()
        assert hub.request({"a": b"1", "gone": b"2"}, timeout_s=0.4) == {"a": b"answer to 1"}
        timer.join()


@pytest.mark.parametrize("behind", [0, 2])
def test_an_id_that_a_sender_chose_does_not_end_the_stream(
    uplink: RedisUplink, hub: RedisHub, client: redis.Redis, prefix: str, behind: int
) -> None:
    """The agents' user may append with any id: behind the highest of all nobody can."""
    uplink.send(b"before")
    client.xadd(f"{prefix}:up", {"p": "forged"}, id=f"{2**64 - 1}-{2**64 - 1 - behind}")
    for number in range(behind):
        uplink.send(b"behind it %d" % number)
    with pytest.raises(TransportUnavailable, match="exhausted"):
        uplink.send(b"refused")
    first = hub.read(limit=2)
    hub.acknowledge(first)  # not all was read yet: nothing of it may be lost
    rest = hub.read(limit=10)
    assert len(first + rest) == 2 + behind
    hub.acknowledge(rest)
    assert hub.read(limit=10) == []
    uplink.send(b"after")
    (after,) = hub.read(limit=10)
    assert after.payload == b"after"
    hub.acknowledge([after])
    assert (hub.state().backlog, hub.state().lost) == (0, 0)


def test_a_stream_that_nobody_can_append_to_is_freed_by_the_next_look(
    hub: RedisHub, client: redis.Redis, prefix: str, uplink: RedisUplink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever would have done it may have been killed after the last acknowledgement."""
    hub.read(limit=1)
    client.xadd(f"{prefix}:up", {"p": "forged"}, id=f"{2**64 - 1}-{2**64 - 1}")
    with monkeypatch.context() as patch:
        patch.setattr(RedisHub, "_set_back", lambda _self: None)
        hub.acknowledge(hub.read(limit=10))
        assert hub.read(limit=10) == []
    with pytest.raises(TransportUnavailable):
        uplink.send(b"refused")
    assert hub.read(limit=10) == []
    uplink.send(b"taken")
    assert [delivery.payload for delivery in hub.read(limit=10)] == [b"taken"]


def test_ids_a_little_ahead_of_the_clock_are_trimmed_all_the_same(
    hub: RedisHub, client: redis.Redis, prefix: str, uplink: RedisUplink
) -> None:
    ahead = (int(time.time()) + redis_hub.FUTURE_S // 2) * 1000
    client.xadd(f"{prefix}:up", {"p": "forged"}, id=f"{ahead}-0")
    for _ in range(500):
        uplink.send(b"x" * 100)
    while deliveries := hub.read(limit=200):
        hub.acknowledge(deliveries)
    assert client.xlen(f"{prefix}:up") < 250


def test_what_was_just_acknowledged_stays_for_whoever_waits_for_an_answer(
    hub: RedisHub, client: redis.Redis, prefix: str, uplink: RedisUplink
) -> None:
    for _ in range(500):
        uplink.send(b"x" * 100)
    for _ in range(5):  # within one second and on the edge of the next
        hub.acknowledge(hub.read(limit=100))
        time.sleep(0.25)
    assert client.xlen(f"{prefix}:up") == 500


def test_commands_do_not_pile_up(hub: RedisHub, client: redis.Redis, prefix: str) -> None:
    for _ in range(300):
        hub.notify({"gone": b"x" * 1000, "*": b"x" * 1000})
    keys = list(client.keys(f"{prefix}:cmd:*"))
    assert len(keys) == 2
    assert all(client.xlen(key) < 200 and 0 < client.ttl(key) <= 120 for key in keys)


def test_an_agent_keeps_one_connection_when_it_has_nothing_to_send(
    own_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_transport, "_IDLE_S", 0.1)
    with redis.Redis.from_url(own_server.url) as client:
        before = client.info("clients")["connected_clients"]
        uplink = open_uplink(own_server.url, "key")
        assert client.info("clients")["connected_clients"] == before  # nothing before the first use
        uplink.send(b"x")
        uplink.receive(0.2)
        uplink.receive(0.05)
        assert client.info("clients")["connected_clients"] == before + 1
        uplink.close()


def test_a_stream_whose_clock_went_back_does_not_deafen_the_agent(own_server: RedisServer) -> None:
    uplink, hub = open_uplink(own_server.url, "key"), open_hub(own_server.url)
    uplink.receive(0)
    with redis.Redis.from_url(own_server.url) as client:
        ahead = int(time.time() + 86400) * 1000
        client.xadd("mw:cmd:all", {"c": "from a clock that was ahead"}, id=f"{ahead}-0")
        assert uplink.receive(5) is not None
        client.flushall()
        client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(TransportUnavailable):
        uplink.receive(5)
    assert uplink.receive(0.1) is None
    hub.notify({"*": b"hello"})
    incoming = uplink.receive(5)
    assert incoming is not None
    assert incoming.payload == b"hello"
    uplink.close()
    hub.close()


def test_memory_is_told_with_its_limit(own_server: RedisServer) -> None:
    hub = open_hub(own_server.url)
    assert hub.state().limit_bytes is None
    with redis.Redis.from_url(own_server.url) as client:
        client.config_set("maxmemory", "100mb")
    state = hub.state()
    assert state.limit_bytes == 100 * 1024 * 1024
    assert 0 < (state.used_bytes or 0) < 100 * 1024 * 1024
    hub.close()


def test_a_full_redis_is_unavailable(own_server: RedisServer) -> None:
    with redis.Redis.from_url(own_server.url) as client:
        client.config_set("maxmemory", "1")
    uplink = open_uplink(own_server.url, "key")
    with pytest.raises(TransportUnavailable, match="maxmemory"):
        uplink.send(b"x")
    with redis.Redis.from_url(own_server.url) as client:
        client.config_set("maxmemory", "0")
    uplink.send(b"x")
    uplink.close()


_READS_ALL = """
import resource, sys
from memwatch.transport import open_hub
from memwatch.transport.wire import Report, WireError

hub, read, refused = open_hub(sys.argv[1] + "&socket_timeout=30"), 0, 0  # memory is measured, not time
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
while found := hub.read(limit=200):
    read += len(found)
    for delivery in found:
        try:
            Report.decode(delivery.payload)
        except WireError as error:
            refused += error.reason == "oversized"
    if "acknowledge" in sys.argv:
        hub.acknowledge(found)
print(read, refused, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def read_all(url: str, *options: str) -> tuple[int, int, int]:
    """Reports read in a process of its own, those refused as oversized, and the MB that it took."""
    done = subprocess.run(
        [sys.executable, "-c", _READS_ALL, url, *options], capture_output=True, text=True, timeout=60, check=True
    )
    read, refused, took_mb = map(int, done.stdout.split())
    return read, refused, took_mb


def test_a_backlog_of_large_reports_is_read_and_claimed_a_few_megabytes_at_a_time(
    own_server: RedisServer, prefix: str
) -> None:
    url = f"redis://127.0.0.1:{own_server.port}?prefix={prefix}"
    with redis.Redis(port=own_server.port) as client:
        for number in range(200):
            client.xadd(f"{prefix}:up", {b"p": b"{" + bytes(1024 * 1024 - 10), b"n": str(number)})
    read, _refused, took_mb = read_all(url)
    assert read == 200
    assert took_mb < 60
    hub = RedisHub(url, lease_s=0.0)
    claimed = hub.read(limit=200)
    assert 0 < sum(len(delivery.payload) for delivery in claimed) < 10 * 1024 * 1024
    hub.close()


def test_an_entry_larger_than_any_report_is_refused_without_being_read(own_server: RedisServer, prefix: str) -> None:
    url = f"redis://127.0.0.1:{own_server.port}?prefix={prefix}"
    with redis.Redis(port=own_server.port) as client:
        for _ in range(6):
            client.xadd(f"{prefix}:up", {b"p": bytes(30 * 1024 * 1024)})
        client.xadd(f"{prefix}:up", {b"p": b"{}", **{f"field{number}": bytes(1024) for number in range(2_000)}})
    read, refused, took_mb = read_all(url, "acknowledge")
    assert (read, refused) == (7, 7)
    assert took_mb < 60


_LOOKS = """
import resource, sys
from memwatch.transport import open_hub, open_peek

url = sys.argv[1] + "&socket_timeout=30"  # memory is measured, not time
hub, peek = open_hub(url), open_peek(url)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
exec(sys.argv[2])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def looking(url: str, how: str) -> subprocess.Popen[str]:
    """A process of its own, which prints the MB that looking took."""
    return subprocess.Popen([sys.executable, "-c", _LOOKS, url, how], stdout=subprocess.PIPE, text=True)


def test_answers_that_nobody_asked_for_are_read_a_few_megabytes_at_a_time(own_server: RedisServer, prefix: str) -> None:
    url = f"redis://127.0.0.1:{own_server.port}?prefix={prefix}"
    asking = looking(url, "hub.request({'nobody': b'command'}, timeout_s=5)")
    with redis.Redis(port=own_server.port) as client:
        until(lambda: list(client.scan_iter(f"{prefix}:cmd:*")))
        with client.pipeline(transaction=True) as pipeline:
            pipeline.xadd(f"{prefix}:up", {b"c": b"of nobody", b"p": bytes(50 * 1024 * 1024)})
            for _ in range(80):
                pipeline.xadd(f"{prefix}:up", {b"c": b"of nobody", b"p": bytes(1024 * 1024)})
            pipeline.execute()
    said, _ = asking.communicate(timeout=60)
    assert int(said) < 40


@pytest.mark.parametrize("how", ["hub.state()", "peek.look(), peek.look()"])
def test_a_look_at_the_stream_reads_no_entry_larger_than_any_report(
    own_server: RedisServer, prefix: str, how: str
) -> None:
    url = f"redis://127.0.0.1:{own_server.port}?prefix={prefix}"
    with redis.Redis(port=own_server.port) as client:
        client.xadd(f"{prefix}:up", {b"p": bytes(50 * 1024 * 1024)})
    said, _ = looking(url, how).communicate(timeout=60)
    assert int(said) < 40


def test_a_missing_client_library_is_named() -> None:
    code = (
        "import sys\nsys.modules['redis'] = None\n"
        "from memwatch.transport import *\n"
        "for opener in (lambda: open_uplink('redis://h', 'k'), lambda: open_hub('redis://h')):\n"
        "    try:\n        opener()\n    except TransportUnavailable as error:\n        print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout.count("pip install 'memwatch[redis]'") == 2


_UNDER_GEVENT = """
import gevent.monkey
if "{when}" == "early":
    gevent.monkey.patch_all()
import sys, time
from memwatch.transport import *
import memwatch.transport.local, memwatch.transport.redis.uplink
if "{when}" == "late":
    gevent.monkey.patch_all()
import gevent, socket
from gevent._hub_local import get_hub_if_exists

start_new_thread = gevent.monkey.get_original("_thread", "start_new_thread")
url, state = sys.argv[1], {{}}

def agent():
    try:
        uplink = state["uplink"] = open_uplink(url, "key")
        uplink.receive(0)
        state["ready"] = True
        for _ in range(2):
            incoming = uplink.receive(10)
            uplink.answer(incoming, b"answer")
        uplink.receive(1.0)
        state["hub"] = get_hub_if_exists()
        uplink.close()
    except BaseException as error:
        state["error"] = repr(error)
    state["done"] = True

def pulse():
    while not state.get("done"):
        began = time.monotonic()
        gevent.sleep(0.01)
        state["worst"] = max(state.get("worst", 0), time.monotonic() - began)

pulsing = gevent.spawn(pulse)
start_new_thread(agent, ())
while not state.get("ready") and not state.get("done"):
    gevent.sleep(0.01)
hub = open_hub(url)
answers = [hub.request({{"key": b"1"}}, timeout_s=5) for _ in range(2)]
silent = hub.request({{"gone": b"1"}}, timeout_s=0.3)
pulsing.join()
hub.close()
print(answers, silent, state.get("hub"), state.get("error"), state["worst"] < 0.25)
"""


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("kind", ["redis", "redis socket", "local"])
def test_under_gevent_the_agent_blocks_no_greenlet(
    kind: str, when: str, redis_server: RedisServer, prefix: str, tmp_path: Path
) -> None:
    where = {
        "redis": f"{redis_server.url}?prefix={prefix}",
        "redis socket": f"{redis_server.socket_url}&prefix={prefix}",
        "local": f"local://{tmp_path}/mw",
    }[kind]
    run = subprocess.run(
        [sys.executable, "-c", _UNDER_GEVENT.format(when=when), where],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.stdout.strip() == "[{'key': b'answer'}, {'key': b'answer'}] {} None None True", run.stderr


def test_the_last_record_is_kept_for_the_time_after_the_end(
    hub: RedisHub, uplink: RedisUplink, client: redis.Redis, prefix: str
) -> None:
    assert hub.left("key") is None
    uplink.leave(b"first")
    uplink.leave(b"last")
    assert hub.left("key") == b"last"
    assert 86_000 < client.ttl(f"{prefix}:flight:{address('key')}") <= redis_transport.LEFT_EXPIRES_S
    hub.forget("other")
    assert hub.left("key") == b"last"
    hub.forget("key")
    assert hub.left("key") is None


def test_who_leaves_nothing_is_forgotten(hub: RedisHub, uplink: RedisUplink) -> None:
    uplink.leave(b"last")
    uplink.leave(b"")
    assert hub.left("key") is None


def test_what_is_no_text_is_no_record(hub: RedisHub, client: redis.Redis, prefix: str) -> None:
    client.rpush(f"{prefix}:flight:{address('key')}", "x")
    assert hub.left("key") is None


def test_a_record_that_is_too_long_is_cut(hub: RedisHub, client: redis.Redis, prefix: str) -> None:
    client.set(f"{prefix}:flight:{address('key')}", b"x" * 10**6)
    left = hub.left("key")
    assert left is not None
    assert len(left) == MAX_FLIGHT_BYTES + 1
