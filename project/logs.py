"""How the deployment's log is kept readable."""

from __future__ import annotations

import logging


class WithoutRefusals(logging.Filter):
    """Requests that were refused are logged in one line: a traceback each would let anyone fill the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", None)
        if isinstance(status, int) and 400 <= status < 500:
            record.exc_info = record.exc_text = None
        return True
