"""Where every component is required, a skip fails, unless this Python, kernel or machine is the reason.

Where the compiler is, as in the matrix, one for want of a compiled part fails.
"""

from __future__ import annotations

import os
import re

import pytest

from memwatch.sampling.atomic import FREE_THREADED

BY_DESIGN = re.compile(
    r"""
    .*\ came\ with\ Python\ 3                       # lazy imports, InterpreterPoolExecutor
    | sys\.monitoring\ is\ of\ Python
    | the\ alignment\ changed\ within
    | this\ Python\ has\ (the|no)\ global\ lock
    | this\ Python\ comes\ without\ its\ test\ modules
    | (no\ )?Python\ 3[\d. to]+\ is\ (not\ )?installed
    | no\ file\ system\ may\ be\ made\ read-only\ here
    | no\ memory\ cgroup\ here | no\ cgroup\ may\ be\ made\ here
    | no\ huge\ pages\ here | a\ text\ of\ 1\ GB\ and\ its\ copy\ need\ room
    | could\ not\ import\ 'django\.tasks'         # it came with Django 6.0
    | django-celery-beat\ knows\ no\ Django
    """,
    re.VERBOSE,
)
"""Reasons that no installation of a package would end."""


def must_not_be(reason: str) -> bool:
    """Whether what is required makes the skip a failure. ``.ci/run`` lists every component, the browser among them."""
    required = [item.strip() for item in os.environ.get("MEMWATCH_TEST_REQUIRE", "").split(",")]
    if "browser" in required:
        return not BY_DESIGN.match(reason)
    return "compiler" in required and "not compiled here" in reason and not FREE_THREADED  # there not all is compiled


def judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip that must not be into a failure."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    where = report.longrepr
    reason = where[2] if isinstance(where, tuple) else str(where)
    if must_not_be(reason.removeprefix("Skipped: ")):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped where what it needs is required: {reason}"
