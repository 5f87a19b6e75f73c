"""Round trip of a command to 1, 10 and 50 processes at once, over both transports: ``python -m benchmarks.transport``.

Each simulated agent is a process of its own that answers with a report of 4 KiB. The peers in the same run are the
least that can be done over the same wire: a bare Unix socket that echoes as many bytes, and a Redis PING. Ends with 1
when asking 50 processes takes longer than 250 ms in the middle, which is twice what kombu's pidbox needs over Redis.
"""

from __future__ import annotations

import argparse
import functools
import os
import signal
import socket
import statistics
import tempfile
import time
from collections.abc import Callable

import redis

from memwatch.transport import Hub, open_hub, open_uplink
from tests.servers import RedisServer, find_program

ANSWER = b"x" * 4096
COMMAND = b"c" * 400
LIMIT_MS = 250.0
PROCESSES = (1, 10, 50)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transport", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="requests for each figure")
    rounds = parser.parse_args().rounds
    print(f"round trip in ms, p50 / p95 of {rounds}        " + "".join(f"{n:>4} processes " for n in PROCESSES))
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        worst = _measure("local:", f"local://{folder}/mw", rounds)
    print(f"{'  peer: echo over a bare Unix socket':<42}{_shown(_timed(_echo(), rounds))}")
    program = find_program("redis-server")
    if program is None:
        print("redis: not measured: install redis-server")
        return int(worst > LIMIT_MS)
    server = RedisServer(program)
    try:
        server.start()
        worst = max(worst, _measure("redis:", server.url, rounds))
        with redis.Redis.from_url(server.url) as client:
            print(f"{'  peer: Redis PING':<42}{_shown(_timed(client.ping, rounds))}")
    finally:
        server.stop()
    return int(worst > LIMIT_MS)


def _measure(name: str, url: str, rounds: int) -> float:
    """Print one row; the middle of its last figure."""
    row = []
    for count in PROCESSES:
        keys = [f"bench:{number}:{count}" for number in range(count)]
        agents = [_start_agent(url, key) for key in keys]
        hub = open_hub(url)
        commands = dict.fromkeys(keys, COMMAND)
        try:
            deadline = time.monotonic() + 30
            while len(hub.request(commands, timeout_s=1)) < count and time.monotonic() < deadline:
                time.sleep(0.05)
            row.append(_timed(functools.partial(_ask_all, hub, commands), rounds))
        finally:
            for agent in agents:
                os.kill(agent, signal.SIGKILL)
                os.waitpid(agent, 0)
            while deliveries := hub.read(limit=500):
                hub.acknowledge(deliveries)
            hub.close()
    print(f"{name:<42}" + "".join(map(_shown, row)))
    return statistics.median(row[-1])


def _ask_all(hub: Hub, commands: dict[str, bytes]) -> None:
    answered = len(hub.request(commands, timeout_s=10))
    if answered != len(commands):
        raise SystemExit(f"{answered} of {len(commands)} processes answered")


def _start_agent(url: str, key: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        uplink = open_uplink(url, key)
        while True:
            incoming = uplink.receive(10)
            if incoming is not None:
                uplink.answer(incoming, ANSWER)
    finally:
        os._exit(1)


def _echo() -> Callable[[], None]:
    here, there = socket.socketpair()
    if os.fork() == 0:
        here.close()
        while there.recv(65536):
            there.sendall(ANSWER)
        os._exit(0)
    there.close()

    def ask() -> None:
        here.sendall(COMMAND)
        left = len(ANSWER)
        while left:
            left -= len(here.recv(65536))

    return ask


def _timed(work: Callable[[], object], rounds: int) -> list[float]:
    milliseconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        milliseconds.append((time.perf_counter() - began) * 1000)
    return milliseconds


def _shown(milliseconds: list[float]) -> str:
    middle, high = statistics.median(milliseconds), sorted(milliseconds)[int(len(milliseconds) * 0.95)]
    return f"{f'{middle:.2f} / {high:.2f}':>14} "


if __name__ == "__main__":
    raise SystemExit(main())
