"""What pytest keeps of a test's logging: with every call more, and no leak of the program."""

from __future__ import annotations

import logging
from io import StringIO
from typing import Any

_HOME = "_pytest.logging"


class Captured:
    """Log records that pytest has captured; :meth:`restore` takes away what came since this was made.

    Each call finds what the test found at its first: ``caplog`` shows records of the call alone.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Any, Any, int, int]] = []
        for handler in logging.getLogger().handlers:
            records, stream = getattr(handler, "records", None), getattr(handler, "stream", None)
            if type(handler).__module__ == _HOME and type(records) is list and type(stream) is StringIO:
                self._kept.append((handler, stream, len(records), stream.tell()))

    def restore(self) -> None:
        """For the next call."""
        for handler, stream, records, position in self._kept:
            del handler.records[records:]
            start = position if handler.stream is stream else 0  # caplog.clear() takes another
            if handler.stream.tell() > start:
                handler.stream.seek(start)
                handler.stream.truncate()
