"""A logging handler that keeps records until its file is opened, in a process where nobody opens it.

Reported as kivy/kivy#886, and written after it.

Holder: ``LaterFileHandler.history``, a list of log records.
"""

import logging

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="records of a log file that is never opened",
    leaks="objects",
    culprit=("*LogRecord", "*.history", "*LaterFileHandler*"),
    holder=("*history*", "*LaterFileHandler*"),
    source="https://github.com/kivy/kivy/issues/886",
)
_traffic = Traffic(412)


class LaterFileHandler(logging.Handler):
    """Writes once the settings say where to."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[logging.LogRecord] = []
        self.file: list[str] | None = None

    def activate(self, file: list[str]) -> None:
        """From now on write, first what came before."""
        self.file = file
        for record in self.history:
            self.emit(record)
        self.history.clear()

    def emit(self, record: logging.LogRecord) -> None:
        """Write or keep."""
        if self.file is None:
            self.history.append(record)
        else:
            self.file.append(self.format(record))


_log = logging.getLogger("unseen.log_history")


def setup() -> None:
    _log.propagate = False
    _log.setLevel(logging.INFO)
    _log.addHandler(LaterFileHandler())


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _log.info("order %d of customer %d", i, i % 700)
        _log.debug("not written")
