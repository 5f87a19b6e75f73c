"""Simulated agents over Redis: ``python -m benchmarks.fleet.agents URL KEY BEGIN INTERVAL SECONDS FIRST LAST``.

Each has an uplink of its own, keeps its question for commands open, sends a report every interval at its own phase and
obeys what it is asked, as the real one does in its thread; here one thread serves them all. Those that are restarted
leave with a goodbye every other time, else without a word. Prints a line of JSON at the end.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import sys
import time
from datetime import UTC, datetime

from benchmarks.simulated import LIFE, RESTARTING, Simulated
from memwatch.transport import TransportUnavailable, Uplink, open_uplink
from memwatch.transport.redis.uplink import BLOCK_S
from memwatch.transport.wire import Answer, Command, Report, WireError


class Agent:
    """One simulated process with its uplink."""

    def __init__(self, url: str, key: str, who: Simulated, seq: int) -> None:
        self.who, self.seq = who, seq
        self._url, self._key = url, key
        self._uplink = self._connect()
        self.sent = self.obeyed = self.failed = 0

    def _connect(self) -> Uplink:
        return open_uplink(self._url, self.who.info(self.seq).key)

    def report(self) -> None:
        """Send the next snapshot; at the end of a life begin another."""
        last_of_life = self.who.kind == RESTARTING and self.seq % LIFE == LIFE - 1
        self._send(self.who.report(self.seq))
        if last_of_life and self.seq // LIFE % 2:
            self._send(self.who.report(self.seq, goodbye=True))
        self.seq += 1
        if last_of_life:
            self._uplink.close()
            self._uplink = self._connect()

    def listen(self) -> None:
        """Take the commands that have come, and go on asking."""
        try:
            while (incoming := self._uplink.receive(0)) is not None:
                command = Command.decode(incoming.payload, self._key, now=datetime.now(UTC))
                answer = Answer(command=command.id, state="done")
                report = dataclasses.replace(self.who.report(self.seq), snapshots=(), answers=(answer,))
                self._uplink.answer(incoming, report.encode())
                self.obeyed += 1
        except (TransportUnavailable, WireError):
            self.failed += 1

    def _send(self, report: Report) -> None:
        try:
            self._uplink.send(dataclasses.replace(report, sent_at=datetime.now(UTC)).encode())
            self.sent += 1
        except TransportUnavailable:
            self.failed += 1


def main(arguments: list[str]) -> None:
    """Serve the agents at their times."""
    url, key, begin, *numbers = arguments
    interval_s, seconds, first, last = map(float, numbers)
    fleet = [Simulated(number, datetime.fromisoformat(begin), interval_s) for number in range(int(first), int(last))]
    agents = [Agent(url, key, who, who.next_after(datetime.now(UTC))) for who in fleet]
    until = time.time() + seconds
    due = [(agent.who.when(agent.seq).timestamp(), n, True) for n, agent in enumerate(agents)]
    due += [(time.time() + BLOCK_S * n / len(agents), n, False) for n in range(len(agents))]
    heapq.heapify(due)
    late = 0.0
    while due[0][0] < until:
        at, n, reports = heapq.heappop(due)
        time.sleep(max(0.0, at - time.time()))
        late = max(late, time.time() - at)
        agent = agents[n]
        if reports:
            agent.report()
            heapq.heappush(due, (agent.who.when(agent.seq).timestamp(), n, True))
        else:
            agent.listen()
            heapq.heappush(due, (time.time() + BLOCK_S, n, False))
    print(
        json.dumps(
            {
                "sent": sum(agent.sent for agent in agents),
                "obeyed": sum(agent.obeyed for agent in agents),
                "failed": sum(agent.failed for agent in agents),
                "late_s": round(late, 2),
                "cpu_s": round(time.process_time(), 2),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
