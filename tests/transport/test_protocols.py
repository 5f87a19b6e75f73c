"""What both transports promise, tried on each."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memwatch.transport import EVERYONE, Hub, TransportUnavailable, Uplink, open_hub, open_uplink, redacted
from memwatch.transport.local import LocalHub
from memwatch.transport.protocols import READ_BYTES
from memwatch.transport.redis.hub import RedisHub
from memwatch.transport.wire import MAX_REPORT_BYTES, WireError
from tests.transport.agents import answering
from tests.waiting import until

_numbers = itertools.count()


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.redis)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return f"local://{tmp_path}/mw"
    return f"{request.getfixturevalue('redis_url')}?prefix=t{next(_numbers)}"


@pytest.fixture
def uplink(url: str) -> Iterator[Uplink]:
    uplink = open_uplink(url, "host:1:2.0:aa")
    yield uplink
    uplink.close()


@pytest.fixture
def hub(url: str) -> Iterator[Hub]:
    hub = open_hub(url)
    yield hub
    hub.close()


def patient(url: str, lease_s: float) -> Hub:
    return (LocalHub if url.startswith("local") else RedisHub)(url, lease_s=lease_s)


def payloads(hub: Hub, limit: int = 100) -> list[bytes]:
    return [delivery.payload for delivery in hub.read(limit=limit)]


def test_reports_arrive_in_order_and_once(uplink: Uplink, hub: Hub) -> None:
    sent = [f"report {number}".encode() for number in range(20)]
    for payload in sent:
        uplink.send(payload)
    first = hub.read(limit=5)
    rest = hub.read(limit=100)
    assert [delivery.payload for delivery in first + rest] == sent
    hub.acknowledge(first + rest)
    assert hub.read(limit=100) == []
    assert hub.state().backlog == 0


def test_one_read_brings_some_megabytes_at_most(uplink: Uplink, hub: Hub) -> None:
    for _ in range(20):
        uplink.send(bytes(MAX_REPORT_BYTES))
    sizes = []
    while found := hub.read(limit=100):
        sizes.append(sum(len(delivery.payload) for delivery in found))
        hub.acknowledge(found)
    assert sum(sizes) == 20 * MAX_REPORT_BYTES
    assert max(sizes) < READ_BYTES + MAX_REPORT_BYTES


def test_state_tells_what_is_still_to_be_stored(uplink: Uplink, hub: Hub) -> None:
    assert (hub.state().backlog, hub.state().oldest_s, hub.state().lost) == (0, None, 0)
    for _ in range(3):
        uplink.send(b"x" * 1000)
    time.sleep(0.02)
    assert hub.state().backlog == 3
    held = hub.read(limit=2)
    state = hub.state()
    assert state.backlog == 3
    assert 0.02 <= (state.oldest_s or 0) < 10
    assert state.lost == 0
    assert (state.used_bytes or 0) >= 3000
    hub.acknowledge(held)
    assert hub.state().backlog == 1


def test_a_hub_that_closes_gives_back_what_it_has_not_acknowledged(uplink: Uplink, url: str, hub: Hub) -> None:
    for payload in (b"1", b"2", b"3"):
        uplink.send(payload)
    other = open_hub(url)
    taken = other.read(limit=2)
    other.acknowledge(taken[:1])
    other.close()
    assert payloads(hub) == [b"2", b"3"]


def test_a_forked_child_does_not_give_back_what_its_parent_holds(uplink: Uplink, url: str, hub: Hub) -> None:
    uplink.send(b"1")
    held = hub.read(limit=1)
    pid = os.fork()
    if pid == 0:
        try:
            hub.close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    other = open_hub(url)
    assert payloads(other) == []
    other.close()
    hub.acknowledge(held)
    assert hub.state().backlog == 0


def test_what_a_silent_reader_holds_comes_back_after_its_lease(uplink: Uplink, url: str) -> None:
    uplink.send(b"1")
    uplink.send(b"2")
    dead, alive = patient(url, 0.2), patient(url, 0.2)
    held = dead.read(limit=10)
    assert payloads(alive) == []
    again = until(lambda: alive.read(limit=10))
    assert [delivery.payload for delivery in again] == [b"1", b"2"]
    alive.acknowledge(again)
    dead.acknowledge(held)  # too late, and harmless
    time.sleep(0.25)
    assert payloads(alive) == payloads(dead) == []
    dead.close()
    alive.close()
    assert alive.state().backlog == 0


def _read_and_hang(url: str, ready: multiprocessing.synchronize.Event) -> None:
    patient(url, 0.5).read(limit=3)
    ready.set()
    time.sleep(60)


def test_a_reader_killed_in_the_middle_loses_and_doubles_nothing(uplink: Uplink, url: str) -> None:
    sent = [str(number).encode() for number in range(6)]
    for payload in sent:
        uplink.send(payload)
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_read_and_hang, args=(url, ready))
    process.start()
    assert ready.wait(120)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(10)
    process.close()
    hub = patient(url, 0.5)
    got: list[bytes] = []

    def all_came() -> bool:
        deliveries = hub.read(limit=10)
        got.extend(delivery.payload for delivery in deliveries)
        hub.acknowledge(deliveries)
        return len(got) >= 6

    until(all_came)
    assert sorted(got) == sent
    time.sleep(0.6)
    assert payloads(hub) == []
    hub.close()


def test_two_hubs_at_once_share_the_reports(uplink: Uplink, url: str) -> None:
    total = 300
    for number in range(total):
        uplink.send(str(number).encode())
    got: list[bytes] = []

    def work() -> None:
        hub = open_hub(url)
        while deliveries := hub.read(limit=7):
            got.extend(delivery.payload for delivery in deliveries)
            hub.acknowledge(deliveries)
        hub.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(int(payload) for payload in got) == list(range(total))


def test_an_oversized_report_is_refused_by_the_sender(uplink: Uplink, hub: Hub) -> None:
    uplink.send(b"x" * MAX_REPORT_BYTES)
    with pytest.raises(WireError, match="limit"):
        uplink.send(b"x" * (MAX_REPORT_BYTES + 1))
    assert len(payloads(hub)) == 1


def test_a_command_is_answered_to_the_asker_and_in_the_reports(url: str, hub: Hub) -> None:
    with answering(url, "a:1:1.0:x", "ü:2:2.0:\udcff"):
        commands = {"a:1:1.0:x": b"c1", "ü:2:2.0:\udcff": b"c2"}
        answers = hub.request(commands, timeout_s=5)
        assert answers == {"a:1:1.0:x": b"answer to c1", "ü:2:2.0:\udcff": b"answer to c2"}
    assert sorted(payloads(hub)) == [b"answer to c1", b"answer to c2"]


def test_an_ingest_at_the_same_time_does_not_take_the_answer_away(url: str, hub: Hub) -> None:
    stop = threading.Event()
    stored: list[bytes] = []

    def ingest() -> None:
        other = open_hub(url)
        while not stop.is_set():
            deliveries = other.read(limit=50)
            stored.extend(delivery.payload for delivery in deliveries)
            other.acknowledge(deliveries)
        other.close()

    thread = threading.Thread(target=ingest)
    thread.start()
    try:
        with answering(url, "a"):
            for number in range(50):
                command = str(number).encode()
                assert hub.request({"a": command}, timeout_s=5) == {"a": b"answer to " + command}
    finally:
        stop.set()
        thread.join(10)
    assert sorted(stored + payloads(hub)) == sorted(b"answer to " + str(number).encode() for number in range(50))


def test_a_request_of_which_some_are_silent_ends_in_time(url: str, hub: Hub) -> None:
    silent = open_uplink(url, "silent")
    silent.receive(0)
    with answering(url, "a"):
        began = time.monotonic()
        answers = hub.request({"a": b"1", "silent": b"2", "gone": b"3"}, timeout_s=0.5)
        assert 0.4 < time.monotonic() - began < 1.5
    assert answers == {"a": b"answer to 1"}
    silent.close()


def test_a_request_to_nobody_ends_in_time(hub: Hub) -> None:
    began = time.monotonic()
    assert hub.request({"nobody": b"1"}, timeout_s=0.3) == {}
    assert hub.request({}, timeout_s=5) == {}
    assert time.monotonic() - began < 1.5


def test_fifty_processes_answer_at_once(url: str, hub: Hub) -> None:
    keys = [f"host:{number}:1.0:n" for number in range(50)]
    with answering(url, *keys):
        answers = hub.request({key: key.encode() for key in keys}, timeout_s=10)
    assert answers == {key: b"answer to " + key.encode() for key in keys}


def test_everyone_can_be_asked_at_once(url: str, hub: Hub) -> None:
    with answering(url, "a", "b", "c"):
        answers = hub.request({EVERYONE: b"hello"}, timeout_s=1)
    assert answers == dict.fromkeys("abc", b"answer to hello")


def test_a_notified_command_is_answered_in_the_reports_alone(url: str, hub: Hub) -> None:
    with answering(url, "a"):
        hub.notify({"a": b"n", "gone": b"n"})
        until(lambda: hub.state().backlog)
    assert payloads(hub) == [b"answer to n"]


def test_commands_of_before_the_uplink_was_opened_are_not_received(url: str, hub: Hub) -> None:
    hub.notify({"a": b"old", EVERYONE: b"old"})
    uplink = open_uplink(url, "a")
    assert uplink.receive(0.1) is None
    hub.notify({"a": b"new"})
    incoming = uplink.receive(5)
    assert incoming is not None
    assert incoming.payload == b"new"
    uplink.close()


def test_no_command_slips_through_between_two_calls_of_receive(url: str, hub: Hub) -> None:
    uplink = open_uplink(url, "a")
    assert uplink.receive(0.05) is None
    for number in range(5):
        hub.notify({"a": str(number).encode()})
    got = []
    while (incoming := uplink.receive(0.3)) is not None:
        got.append(incoming.payload)
    assert sorted(got) == [b"0", b"1", b"2", b"3", b"4"]
    uplink.close()


def test_receive_waits_as_long_as_it_was_told(uplink: Uplink) -> None:
    uplink.receive(0)
    for timeout_s in (0.0, 0.3):
        began = time.monotonic()
        assert uplink.receive(timeout_s) is None
        assert timeout_s - 0.01 <= time.monotonic() - began < timeout_s + 0.2


def test_wake_ends_a_receive_of_now_or_the_next_one(uplink: Uplink) -> None:
    uplink.receive(0)
    timer = threading.Timer(0.1, uplink.wake)
    timer.start()
    began = time.monotonic()
    assert uplink.receive(10) is None
    uplink.wake()
    assert uplink.receive(10) is None
    assert time.monotonic() - began < 2
    timer.join()
    assert uplink.receive(0.05) is None  # one wake ends one receive


def test_no_wake_is_lost_when_it_comes_right_after_another(uplink: Uplink) -> None:
    uplink.receive(0)
    began = time.monotonic()
    for _ in range(200):
        thread = threading.Thread(target=uplink.wake)
        thread.start()
        assert uplink.receive(10) is None
        uplink.wake()
        assert uplink.receive(10) is None
        thread.join()
    assert time.monotonic() - began < 5


def test_close_by_another_thread_ends_receive(uplink: Uplink) -> None:
    uplink.receive(0)
    ended = threading.Event()

    def listen() -> None:
        uplink.receive(20)
        ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    time.sleep(0.1)
    uplink.close()
    assert ended.wait(3)
    thread.join()
    uplink.close()
    uplink.wake()
    with pytest.raises(TransportUnavailable, match="closed"):
        uplink.receive(0)


def test_a_forked_child_leaves_the_parents_uplink_alone(uplink: Uplink, url: str, hub: Hub) -> None:
    uplink.receive(0)
    uplink.send(b"parent before")
    pid = os.fork()
    if pid == 0:  # the child
        code = 1
        try:
            uplink.send(b"child")
            try:
                uplink.receive(0)
            except TransportUnavailable:
                uplink.wake()
                uplink.close()
                own = open_uplink(url, "child")
                own.receive(0)
                own.send(b"child's own")
                own.close()
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert uplink.receive(0.05) is None  # not woken by the child
    uplink.send(b"parent after")
    hub.notify({"host:1:2.0:aa": b"still there?"})
    assert uplink.receive(5) is not None
    assert payloads(hub) == [b"parent before", b"child", b"child's own", b"parent after"]


def test_a_dead_parents_uplink_does_not_live_on_in_its_child(url: str, hub: Hub) -> None:
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        uplink = open_uplink(url, "parent")
        uplink.receive(0)
        if os.fork() == 0:
            os.write(told, f"{os.getpid()}\n".encode())
            time.sleep(30)
            os._exit(0)
        time.sleep(30)
        os._exit(0)
    grandchild = int(os.read(ready, 20))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    try:
        began = time.monotonic()
        assert hub.request({"parent": b"?"}, timeout_s=1) == {}
        if url.startswith("local"):
            assert time.monotonic() - began < 0.5
    finally:
        os.kill(grandchild, signal.SIGKILL)
        os.close(ready)
        os.close(told)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ("ftp://host", "local:///"),
        ("local:relative", "absolute"),
        ("local://host/folder", "absolute"),
        ("local:///", "absolute"),
        ("local:///a?colour=red", "colour"),
        ("local:///a?max_mb=-1", "max_mb"),
        ("local:///a?group=no-such-group-here", "no-such-group-here"),
        ("redis://host/0?maxlen=many", "maxlen"),
        ("redis://host/0?prefix=a*", "prefix"),
        ("redis://host/0?no_such_option=1", "no_such_option"),
        ("redis://me:se/cret@host:6379/0", "percent-encoded"),
        ("redis://me:secret@host:6379x/0", "percent-encoded"),
    ],
)
def test_a_wrong_url_is_refused_with_the_remedy_and_without_the_password(wrong: str, what: str) -> None:
    for opener in (lambda: open_uplink(wrong, "k"), lambda: open_hub(wrong)):
        with pytest.raises(ValueError, match=re.escape(what)) as caught:
            opener()
        assert "se/cret" not in str(caught.value)
        assert "secret" not in str(caught.value)


def test_redacted_urls_tell_the_place_alone() -> None:
    assert redacted("redis://user:pass@host:6379/1?password=x") == "redis://***@host:6379/1"
    assert redacted("local:///var/run/memwatch?group=www") == "local:///var/run/memwatch"
    assert redacted("redis://[user:pass") == "redis://***"
    assert redacted("redis://user:pa/ss@host:6379/1") == "redis://***"
    assert redacted("redis://host/1?password=pa@ss") == "redis://***"
