"""Which versions memwatch was tested with, from what ``make matrix`` has written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docs.make_reference.tables import code, table

RESULTS = Path(__file__).parents[1] / "support.json"


def _lacks(row: Mapping[str, Any]) -> str:
    """What this Python does not give."""
    missing = [code(name) for name in row["null"]]
    if not row["recordings"]:
        missing.append("recordings")
    return ", ".join(missing) or "nothing"


def _tests(row: Mapping[str, Any]) -> str:
    if row["passed"] is None:
        return "not run"
    return f"{row['passed']:,} passed, {row['failed']} failed, {row['skipped']} skipped"


def support() -> str:
    rows = [
        (
            row["python"],
            row["django"],
            row["celery"],
            row["platform"],
            row["census"],
            _tests(row),
            _lacks(row),
        )
        for row in json.loads(RESULTS.read_text())
    ]
    return table(("Python", "Django", "Celery", "platform", "census", "tests of the core", "null or missing"), rows)
