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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from memwatch.terminal import death_table, work_table
from memwatch.terminal.death_table import Deaths
from memwatch.terminal.table import HEADS, NUMBERS, SORTS, Row, arranged, cells, heading
from memwatch.terminal.work_table import WorkLine


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


PROCESSES, WORK, DEATHS = "processes", "work", "deaths"
HELP = "q quit   w work   x deaths   s sort   / filter   r rss  h heap  o objects  g growth  d drift  l leak  n name"
WORK_HELP = "q quit   w processes   x deaths   s sort   / filter   c calls  k kept  b blocks  p peak  t time  n name"
DEATHS_HELP = "q quit   x processes   w work   / filter"
_PAGES = {"w": WORK, "x": DEATHS}
_BY_KEY = {"r": "rss", "h": "heap", "o": "objects", "g": "growth", "d": "drift", "l": "leak", "n": ""}
_WORK_BY_KEY = {"c": "calls", "k": "kept", "b": "blocks", "p": "peak", "t": "time", "n": ""}
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


@dataclasses.dataclass(slots=True)
class View:
    """What the keys have chosen."""

    sort: str
    service: str
    text: str = ""
    typing: bool = False
    over: bool = False
    page: str = PROCESSES
    """What is shown: processes, work by name, or deaths."""
    work_sort: str = "peak"

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
        elif key in _PAGES:
            self.page = PROCESSES if self.page == _PAGES[key] else _PAGES[key]
        elif self.page == WORK:
            self.work_sort = _sorted_by(key, self.work_sort, _WORK_BY_KEY, work_table.SORTS)
        elif self.page == PROCESSES:
            self.sort = _sorted_by(key, self.sort, _BY_KEY, SORTS)


def _sorted_by(key: str, now: str, by_key: Mapping[str, str], sorts: Iterable[str]) -> str:
    """The order after the key: the next one for ``s``."""
    if key == "s":
        orders = ["", *sorts]
        return orders[(orders.index(now) + 1) % len(orders)]
    return by_key.get(key, now)


NO_DEATHS = Deaths()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The figures of one moment: of processes, of names of work, or of deaths."""

    now: datetime
    zone: str
    processes: Sequence[Row] = ()
    work: Sequence[WorkLine] = ()
    deaths: Deaths = NO_DEATHS


def show(read: Callable[[str], Reading], view: View, *, interval_s: float) -> None:
    """Draw the table every ``interval_s`` seconds and after each key, until it is left with ``q`` or Ctrl-C."""
    console = Console()
    with keyboard() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        while not view.over:
            page = view.page
            reading = read(page)
            until = time.monotonic() + interval_s
            while not view.over and view.page == page:
                live.update(_DRAWN[page](reading, view, console.height), refresh=True)
                if not _pressed(keys, view, until):
                    break


def _pressed(keys: Keys, view: View, until: float) -> bool:
    """Whether a key came before the next reading is due."""
    key = keys.wait(until - time.monotonic())
    view.press(key)
    return bool(key)


def _page(reading: Reading, view: View, height: int) -> Group:
    found, now = reading.processes, reading.now
    shown = arranged(found, sort=view.sort, service=view.service, text=view.text)
    table = _table(HEADS, NUMBERS)
    for row in shown[: max(1, height - 4)]:
        table.add_row(*map(Text, cells(row, now)), style=_STYLES.get(row.worst.split(" ", 1)[0], ""))
    empty = [Text("No process is watched yet: manage.py memwatch_doctor says why.")] if not found else []
    return Group(
        Text(heading(found, shown, now, reading.zone), style="bold"), _order(view.sort, view, HELP), table, *empty
    )


def _work_page(reading: Reading, view: View, height: int) -> Group:
    found = reading.work
    shown = work_table.arranged(found, sort=view.work_sort, service=view.service, text=view.text)
    table = _table(work_table.HEADS, work_table.NUMBERS)
    for line in shown[: max(1, height - 4)]:
        table.add_row(*map(Text, work_table.cells(line)))
    empty = [Text("No view, task or command has ended within the last hour.")] if not found else []
    head = work_table.heading(found, shown, reading.now, reading.zone)
    return Group(Text(head, style="bold"), _order(view.work_sort, view, WORK_HELP), table, *empty)


def _deaths_page(reading: Reading, view: View, height: int) -> Group:
    found = reading.deaths
    shown = death_table.arranged(found.lines, service=view.service, text=view.text)
    table = _table(death_table.HEADS, death_table.NUMBERS)
    for line in shown[: max(1, height - 4)]:
        table.add_row(*map(Text, death_table.cells(line, reading.now)))
    empty = [Text("No process was killed, crashed or vanished within the last week.")] if not found.total else []
    head = death_table.heading(found, shown, reading.now, reading.zone)
    return Group(Text(head, style="bold"), _order("time", view, DEATHS_HELP), table, *empty)


_DRAWN: Mapping[str, Callable[[Reading, View, int], Group]] = {
    PROCESSES: _page,
    WORK: _work_page,
    DEATHS: _deaths_page,
}


def _table(heads: Sequence[str], numbers: frozenset[str]) -> Table:
    table = Table(box=None, pad_edge=False, expand=True, header_style="reverse")
    for head in heads:
        table.add_column(head, justify="right" if head in numbers else "left", no_wrap=True, overflow="ellipsis")
    return table


def _order(sort: str, view: View, keys: str) -> Text:
    chosen = f"   filter: {view.text}{'▏' if view.typing else ''}" if view.text or view.typing else ""
    return Text(f"sorted by {sort or 'name'}{chosen}   {keys}", style="dim")
