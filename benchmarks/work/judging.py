"""Verdicts of the real service code, over a scratch database in this very process: one program, then it ends."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.work.program import TYPES, Program
from benchmarks.work.program import Leak as Planted
from benchmarks.work.serving import COMMAND_KEY


def make_database(folder: Path, transport: str, interval_s: float, *, looks: bool) -> None:
    """An empty, migrated database of this process."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": f"sqlite:///{folder}/memwatch.sqlite3",
        "MEMWATCH_VAR": str(folder / "var"),
        "MEMWATCH_TRANSPORT": transport,
        "MEMWATCH_SNAPSHOT_INTERVAL": f"{interval_s:g}",
        "MEMWATCH_COMMAND_KEY": COMMAND_KEY,
        "MEMWATCH_LOOK_BEFORE_LEAK": "on" if looks else "off",
        "MEMWATCH_AGENT": "off",
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def store(payloads: list[bytes], now: datetime) -> None:
    """Reports into rows, and what is complete with them."""
    from memwatch.services.ingest import reader
    from memwatch.services.recordings import progress

    reader.take(payloads, now=now)
    progress.keep_up(now)


def judge(now: datetime) -> None:
    """As beat's task does."""
    from memwatch.services.leaks import judging

    judging.detect(now)


def rejected() -> list[str]:
    """Why reports were refused: nothing, or the benchmark measures something else."""
    from memwatch.models import RejectedReport

    return list(RejectedReport.objects.values_list("detail", flat=True)[:5])


def open_leaks() -> list[dict[str, Any]]:
    """What an operator sees, the largest growth first."""
    from memwatch.models import Leak

    found = []
    for row in Leak.objects.active().order_by("-growth_count"):
        evidence = row.evidence or {}
        container = str((evidence.get("container") or {}).get("name") or "")
        said = _said(evidence.get("work"))
        ticks = _is(TYPES["ticks"], row.object_type, container)
        found.append(
            {"type": row.object_type, "container": container, "growth": row.growth_count, "ticks": ticks, **said}
        )
    return found


def outcome(program: Program) -> dict[str, Any]:
    """What is said of each planted leak, and all that is open."""
    leaks = open_leaks()
    return {
        "leaks": leaks,
        "answers": [_answer(program, planted, leaks) for planted in program.leaks],
        "calls": calls_counted(),
    }


def _answer(program: Program, planted: Planted, leaks: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the open leak that reports it; where none does, of the attribution itself, asked for the planted type."""
    mine = [leak for leak in leaks if _is(planted.types, leak["type"], leak["container"])]
    if not mine and len(program.leaks) == 1:  # what it keeps alive grows as well, and may have given it its name
        mine = [leak for leak in leaks if not leak["ticks"]]
    if mine:
        return {"how": planted.how, "leak": mine[0]["type"], **{key: mine[0][key] for key in _SAID}}
    return {"how": planted.how, "leak": None, **_said(None)}


_SAID = ("named", "figures", "share", "remark")


def _is(types: str, *names: str) -> bool:
    return any(re.fullmatch(types, name) for name in names)


def _said(work: Any) -> dict[str, Any]:
    """The names in their order, and the first one's figures as texts."""
    return {"named": [], "figures": "", "share": "-", "remark": ""}


def calls_counted() -> int:
    """Calls that the agents have reported."""
    from memwatch.models import WorkRollup

    return sum(WorkRollup.objects.filter(period="hour").values_list("calls", flat=True))
