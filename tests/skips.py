"""Where every component is required, a skip fails, unless this Python or kernel is the reason."""

from __future__ import annotations

import os
import re

import pytest

BY_DESIGN = re.compile(
    r"""
    .*\ came\ with\ Python\ 3                       # lazy imports, InterpreterPoolExecutor
    | sys\.monitoring\ is\ of\ Python
    | the\ alignment\ changed\ within
    | it\ is\ for\ this\ build | this\ Python\ has\ (the|no)\ global\ lock
    | this\ Python\ comes\ without\ its\ test\ modules
    | (no\ )?Python\ 3[\d. to]+\ is\ (not\ )?installed
    | no\ file\ system\ may\ be\ made\ read-only\ here
    | no\ memory\ cgroup\ here | no\ cgroup\ may\ be\ made\ here
    | could\ not\ import\ 'django\.tasks'         # it came with Django 6.0
    | pytest_cov\ is\ not\ installed                # its lock needs coverage[toml], which pip takes for unpinned
    | django-celery-beat\ knows\ no\ Django
    """,
    re.VERBOSE,
)
"""Reasons that no installation of a package would end."""


def all_required() -> bool:
    """As in ``.ci/run``: it lists every component, the browser among them."""
    return "browser" in os.environ.get("MEMWATCH_TEST_REQUIRE", "").split(",")


def judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip that must not be into a failure."""
    if not report.skipped or hasattr(report, "wasxfail") or not all_required():
        return
    where = report.longrepr
    reason = where[2] if isinstance(where, tuple) else str(where)
    if not BY_DESIGN.match(reason.removeprefix("Skipped: ")):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped where everything is required: {reason}"
