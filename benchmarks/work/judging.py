"""Verdicts of the real service code, over a scratch database in this very process: one program, then it ends."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.work.leak_types import UNTRACKED
from benchmarks.work.program import Leak as Planted
from benchmarks.work.program import Program
from benchmarks.work.serving import COMMAND_KEY, SERVICE


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


def name_work_again(now: datetime) -> None:
    """With all that has arrived: what was named when a leak opened stands for minutes, and a run has few of them."""
    from memwatch.services.leaks import work_culprits

    while work_culprits.refresh(now + work_culprits.EVERY) == work_culprits.AT_ONCE:
        pass


def rejected() -> list[str]:
    """Why reports were refused: nothing, or the benchmark measures something else."""
    from memwatch.models import RejectedReport

    return list(RejectedReport.objects.values_list("detail", flat=True)[:5])


def open_leaks(program: Program) -> list[dict[str, Any]]:
    """What an operator sees, the largest growth first."""
    from memwatch.models import Leak

    found = []
    for row in Leak.objects.active().order_by("-growth_count"):
        evidence = row.evidence or {}
        container = str((evidence.get("container") or {}).get("name") or "")
        said = _said(evidence.get("work"))
        of_no_name = _is(program.of_no_name, row.object_type, container)
        grown = {"type": row.object_type, "container": container, "growth": row.growth_count}
        found.append({**grown, "of_no_name": of_no_name, **said})
    return found


def outcome(program: Program) -> dict[str, Any]:
    """What is said of each planted leak, and all that is open."""
    leaks = open_leaks(program)
    return {
        "leaks": leaks,
        "answers": [_answer(program, planted, leaks) for planted in program.leaks],
        "calls": calls_counted(),
        "counted": counted_by(),
    }


def _answer(program: Program, planted: Planted, leaks: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the open leak that reports it; where none does, of the attribution itself, asked for the planted type."""
    mine = [leak for leak in leaks if _is(planted.types, leak["type"], leak["container"])]
    if mine:
        return {"how": planted.how, "leak": mine[0]["type"], **{key: mine[0][key] for key in _SAID}}
    return {"how": planted.how, "leak": None, **_said(asked(program, planted))}


def asked(program: Program, planted: Planted) -> dict[str, Any]:
    """What the attribution says of a type, or of a container, of which no leak is open."""
    from memwatch.detection.work.attribution import FEW
    from memwatch.models import Leak, Service, Snapshot
    from memwatch.services.leaks import work_culprits

    name, kind, evidence = planted.asked, Leak.Kind.OBJECTS, {}
    if program.server == "asgi":
        name = name.replace("wsgi.WSGI", "asgi.ASGI")
    if name == UNTRACKED:
        kind = Leak.Kind.UNTRACKED
    elif name.startswith("worksite.") and name.rpartition(".")[2].isupper():
        kind, evidence = Leak.Kind.UNTRACKED, {"container": {"name": name}}
    service, last = Service.objects.get(name=SERVICE), Snapshot.objects.latest("timestamp").timestamp
    leak = Leak(service=service, kind=kind, object_type=name, evidence=evidence)
    found = work_culprits.explain(leak, last)
    if evidence and found["remark"] == FEW:  # the container is seldom among the biggest: the blocks are always known
        leak.evidence = {}
        found = work_culprits.explain(leak, last)
    return found


_SAID = ("named", "figures", "share", "remark")


def _is(types: str, *names: str) -> bool:
    return any(re.fullmatch(types, name) for name in names)


def _said(work: Any) -> dict[str, Any]:
    """The names in their order, and the first one's figures as texts."""
    culprits = (work or {}).get("culprits") or []
    named = [each["name"] for culprit in culprits for each in culprit["works"]]
    if not named:
        return {"named": [], "figures": "", "share": "-", "remark": (work or {}).get("remark") or "nothing"}
    first = culprits[0]
    figures = f"{first['per_call']:.3g} ({first['low']:.3g} to {first['high']:.3g}), {first['source']}"
    return {"named": named, "figures": figures, "share": f"{first['share']:.0%}", "remark": work["remark"]}


def counted_by() -> list[str]:
    """How the agents count objects: with the compiled walk, or without."""
    from memwatch.models import Process

    methods = Process.objects.exclude(census_method="").order_by("census_method")
    return list(methods.values_list("census_method", flat=True).distinct())


def calls_counted() -> int:
    """Calls that the agents have reported."""
    from memwatch.models import WorkRollup

    return sum(WorkRollup.objects.filter(period="hour").values_list("calls", flat=True))
