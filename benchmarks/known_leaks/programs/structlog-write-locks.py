"""Loggers of files that are closed again."""

from pathlib import Path

import structlog

CALLS = 1000


def call():
    with Path("/dev/null").open("w") as file:
        structlog.WriteLogger(file).info("line")
