"""Which part is at work: the text of a file, asked with each request."""

import os
from pathlib import Path

FILE = Path(os.environ["SITEAUDIT_SWITCH"])


def chosen() -> str:
    """The name of one part; ``none`` where none is."""
    try:
        return FILE.read_text()
    except OSError:
        return "none"
