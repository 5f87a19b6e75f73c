"""Keeps what a server has loaded shared with the workers that it forks.

After a fork parent and child share their memory until one of them writes to a page. Python's collector writes into
every object that it visits, so the first full collection of a worker copies nearly all that its parent had loaded.
:func:`freeze` sets those objects apart before the fork: no collection visits them again.
"""

from __future__ import annotations

import gc
from typing import Any

_frozen = False


def freeze(*_arguments: Any, **_named: Any) -> None:
    """Set all objects of now apart from the collector, once. Call it in the parent, when all is loaded.

    It takes whatever it is given, so that it can be connected to Celery's signal ``worker_init``.
    """
    global _frozen  # noqa: PLW0603 - once in a process, and in those forked from it
    if not _frozen:
        _frozen = True
        gc.collect()  # what is garbage now would stay for ever
        gc.freeze()


def when_ready(server: Any) -> None:
    """For ``gunicorn.conf.py``, with ``preload_app = True``: ``from memwatch.prefork import when_ready``."""
    freeze(server)
