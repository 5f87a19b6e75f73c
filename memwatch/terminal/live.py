"""The live table: drawn by rich, sorted and filtered by keys."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from memwatch.terminal.table import HEADS, NUMBERS, SORTS, Row, arranged, cells, heading


class Keys:
    """Keys pressed since the last look."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def wait(self, seconds: float) -> str:
        """The next key within ``seconds``; empty when none was pressed."""
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, seconds))
        return os.read(self._descriptor, 32).decode(errors="ignore") if ready else ""


@contextlib.contextmanager
def keyboard() -> Iterator[Keys]:
    """The keyboard key by key, without echo, for as long as the block lasts."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


HELP = "q quit   s sort   / filter   r rss  h heap  o objects  g growth  d drift  l leak  n name"
_BY_KEY = {"r": "rss", "h": "heap", "o": "objects", "g": "growth", "d": "drift", "l": "leak", "n": ""}
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


@dataclasses.dataclass(slots=True)
class View:
    """What the keys have chosen."""

    sort: str
    service: str
    text: str = ""
    typing: bool = False
    over: bool = False

    def press(self, keys: str) -> None:
        """Take the keys one by one."""
        for key in keys:
            if self.typing:
                self._type(key)
            else:
                self._command(key)

    def _type(self, key: str) -> None:
        if key in "\r\n\x1b":
            self.typing = False
            self.text = "" if key == "\x1b" else self.text
        elif key in "\x7f\b":
            self.text = self.text[:-1]
        elif key.isprintable():
            self.text += key

    def _command(self, key: str) -> None:
        if key in "q\x03":
            self.over = True
        elif key == "/":
            self.typing, self.text = True, ""
        elif key == "s":
            orders = ["", *SORTS]
            self.sort = orders[(orders.index(self.sort) + 1) % len(orders)]
        elif key in _BY_KEY:
            self.sort = _BY_KEY[key]


def show(read: Callable[[], tuple[Sequence[Row], datetime, str]], view: View, *, interval_s: float) -> None:
    """Draw the table every ``interval_s`` seconds and after each key, until it is left with ``q`` or Ctrl-C."""
    console = Console()
    with keyboard() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        while not view.over:
            found, now, zone = read()
            until = time.monotonic() + interval_s
            while not view.over:
                live.update(_page(found, now, zone, view, console.height), refresh=True)
                if not _pressed(keys, view, until):
                    break


def _pressed(keys: Keys, view: View, until: float) -> bool:
    """Whether a key came before the next reading is due."""
    key = keys.wait(until - time.monotonic())
    view.press(key)
    return bool(key)


def _page(found: Sequence[Row], now: datetime, zone: str, view: View, height: int) -> Group:
    shown = arranged(found, sort=view.sort, service=view.service, text=view.text)
    table = Table(box=None, pad_edge=False, expand=True, header_style="reverse")
    for head in HEADS:
        table.add_column(head, justify="right" if head in NUMBERS else "left", no_wrap=True, overflow="ellipsis")
    for row in shown[: max(1, height - 4)]:
        table.add_row(*map(Text, cells(row, now)), style=_STYLES.get(row.worst.split(" ", 1)[0], ""))
    order = f"sorted by {view.sort or 'name'}"
    chosen = f"   filter: {view.text}{'▏' if view.typing else ''}" if view.text or view.typing else ""
    empty = [Text("No process is watched yet: manage.py memwatch_doctor says why.")] if not found else []
    return Group(
        Text(heading(found, shown, now, zone), style="bold"),
        Text(f"{order}{chosen}   {HELP}", style="dim"),
        table,
        *empty,
    )
