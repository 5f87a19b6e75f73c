"""A watched program with free memory, the same for the same seed: fragmented, leaking, or with arenas of threads.

Prints its pid once it is ready. For each line that it reads it prints the longest time for which a thread that
allocates was held up since the line before, in milliseconds.
"""

from __future__ import annotations

import random
import sys
import threading
import time

THREADS = 8


def blocks(megabytes: float, chance: random.Random) -> list[bytearray]:
    """Of 600 to 9,000 bytes: too large for pymalloc, too small to be mapped."""
    made = []
    left = megabytes * 2**20
    while left > 0:
        made.append(bytearray(chance.randrange(600, 9_000)))
        left -= len(made[-1])
    return made


def fragmented(megabytes: float, seed: int) -> list[bytearray]:
    """One block in 25 lives on: free memory lies between blocks in use."""
    return blocks(megabytes, random.Random(seed))[::25]


def leaking(megabytes: float, seed: int) -> list[bytearray]:
    """All is in use."""
    return blocks(megabytes, random.Random(seed))


class Threads:
    """Each fills an arena of its own and keeps little."""

    def __init__(self, megabytes: float, seed: int) -> None:
        self._start = threading.Barrier(THREADS + 1)
        self._kept: list[list[bytearray]] = []
        for number in range(THREADS):
            of = (megabytes / THREADS, seed + number)
            threading.Thread(target=self._work, args=of, daemon=True).start()
        self._start.wait()
        self._start.wait()

    def _work(self, megabytes: float, seed: int) -> None:
        chance = random.Random(seed)
        self._start.wait()
        made: list[bytearray] = []
        for _ in range(20):  # a little each: every thread has its turn
            made += blocks(megabytes / 20, chance)
            time.sleep(0.001)
        self._kept.append(made[::25])
        del made
        self._start.wait()
        time.sleep(3600)


def pinned(megabytes: float, _seed: int) -> list[bytes]:
    """Small objects, of which one in a thousand lives on and keeps an arena of pymalloc."""
    return [bytes(200 + number % 200) for number in range(int(megabytes * 2**20 / 340))][::1000]


def pieces(megabytes: float, _seed: int) -> list[bytearray]:
    """Every second block lives on: the holes are smaller than a page."""
    return [bytearray(1_000) for _ in range(int(megabytes * 2**20 / 1_100))][::2]


def large(megabytes: float, _seed: int) -> list[bytearray]:
    """Blocks of 5 MB, with a small one behind each that lives on, after a larger one was freed: malloc adapts to it."""
    first = bytearray(31 * 2**20)
    del first
    made = []
    for _ in range(int(megabytes / 5)):
        made += [bytearray(b"x") * (5 * 2**20), bytearray(3_000)]
    return made[1::2]


class Turns:
    """Threads that have their peaks one after the other, and keep little."""

    def __init__(self, megabytes: float, seed: int) -> None:
        self._turn = threading.Lock()
        self._ready = threading.Barrier(THREADS + 1)
        for number in range(THREADS):
            of = (megabytes / THREADS, seed + number)
            threading.Thread(target=self._work, args=of, daemon=True).start()
        self._ready.wait()

    def _work(self, megabytes: float, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(20):
            with self._turn:
                made = blocks(megabytes, chance)
                kept = made[::25]
                del made
            time.sleep(0.001)
        self._ready.wait()
        time.sleep(3600)
        del kept


class Held:
    """A thread that allocates a thousand times a second, and how long it was held up."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            before = time.perf_counter()
            time.sleep(0.001)
            bytearray(5_000)
            self.longest_s = max(self.longest_s, time.perf_counter() - before - 0.001)


def main() -> None:
    """``program.py KIND MEGABYTES SEED TRANSPORT KEY``."""
    kind, megabytes, seed, transport, key = sys.argv[1:6]
    kinds = {
        "fragmented": fragmented,
        "leaking": leaking,
        "arenas": Threads,
        "turns": Turns,
        "large": large,
        "pinned": pinned,
        "pieces": pieces,
    }
    kept = kinds[kind](float(megabytes), int(seed))
    held = Held()
    if transport:
        from memwatch import agent
        from memwatch.agent.config import AgentConfig

        agent.start(AgentConfig(transport=transport, command_key=key, host="bench", snapshot_interval=3600.0))
    time.sleep(0.5)
    print("ready", flush=True)
    for _line in sys.stdin:
        print(held.longest_s * 1e3, flush=True)
        held.longest_s = 0.0
    del kept


if __name__ == "__main__":
    main()
