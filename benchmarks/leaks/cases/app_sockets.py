"""Pairs of sockets that nobody closes: ten between two snapshots."""

import socket

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="few objects a snapshot", leaks="objects", culprit=("socket.socket",))
_open: list[socket.socket] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 400 == 0:
        _open.extend(socket.socketpair())
