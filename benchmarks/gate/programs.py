"""The programs of ``benchmarks.leaks`` through the plug-in: does the leak fail its test, with what, and which line?

``python -m benchmarks.gate.programs`` drives those of ``--group earlier`` that this environment can run; with
``--installed`` those of packages too, each in an environment of its own. A call is a step of the program; 40,000 are
judged, after as many in the first look: what fills up is full by then, as in ``benchmarks.leaks``. ``--record`` appends
each answer to a file, as a line of JSON, and drives only those that it lacks.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.leaks.case import GROUPS, HALVES, Case
from benchmarks.leaks.environments import DEFAULT_FOLDER, ROOT, NotInstallableError, environment, python_with
from benchmarks.leaks.runs import Run, planned

TARGET = 0.95
TIMEOUT_S = 1800.0
RECORDED = ("failed", "calls", "leaks", "notes", "seconds")
_DRIVEN = ROOT / "benchmarks" / "gate" / "driven.py"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What the plug-in said of one program."""

    run: Run
    failed: bool
    calls: int
    leaks: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def named(self) -> bool:
        """Whether the type, the holder or a type beside it is the culprit, or the kind where there is no name."""
        return any(_names(self.run.case, leak) for leak in self.leaks)

    @property
    def placed(self) -> bool:
        """Whether the line is in the program itself, or in the package whose release leaks."""
        return any(_in_program(self.run, leak["where"]) for leak in self.leaks)


def _names(case: Case, leak: dict[str, Any]) -> bool:
    if leak["kind"] == case.leaks and (case.leaks == "native" or not case.culprit):
        return True
    told = [leak["type"], *leak["grows_with"], leak["holder"]]
    return any(fnmatchcase(name, each) or name.endswith(f".{each}") for name in told for each in case.culprit)


def _in_program(run: Run, where: str) -> bool:
    own = run.name.replace(".", "/") + ".py:"
    return own in where or (run.case.released and "-packages/" in where)


def answer(run: Run, options: argparse.Namespace) -> Answer:
    """Drive one. Raises :class:`NotInstallableError`, and :class:`RuntimeError` where it ended with an error."""
    python = str(python_with(f"{run.release} pytest", options.environments)) if run.release else sys.executable
    with tempfile.TemporaryDirectory() as temporary:
        junit = Path(temporary) / "junit.xml"
        command = [python, "-m", "pytest", "-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider", "-q", "--tb=short"]
        command += ["-c", "/dev/null", f"--rootdir={ROOT}", f"--junitxml={junit}", str(_DRIVEN)]
        own = {"GATE_CASE": run.name, "GATE_CALLS": str(options.calls), "GATE_BUDGET": str(options.budget)}
        own |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        began = time.monotonic()
        done = subprocess.run(
            command, env=environment() | own, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
        seconds = time.monotonic() - began
        if done.returncode not in (0, 1) or "LeakError" in done.stderr:
            raise RuntimeError(f"{run.label} ended with {done.returncode}: {(done.stdout + done.stderr)[-800:]}")
        said = [(each.get("name"), each.get("value") or "") for each in ElementTree.parse(junit).iter("property")]
    leaks = tuple(json.loads(value) for name, value in said if name == "memwatch_leak")
    if done.returncode and not leaks:
        raise RuntimeError(f"{run.label} failed without a leak: {done.stdout[-800:]}")
    notes = tuple(value for name, value in said if name in ("memwatch_no_leak", "memwatch_undecided"))
    calls = max((int(value) for name, value in said if name == "memwatch_calls"), default=0)
    return Answer(run, bool(done.returncode), calls, leaks, notes, seconds)


def lines(answers: list[Answer]) -> Iterator[str]:
    """The score, then each mistake."""
    leaking = [each for each in answers if each.run.leaking]
    harmless = [each for each in answers if not each.run.leaking]
    right = [each for each in leaking if each.failed and each.named and each.placed]
    yield f"leaks: {sum(each.failed for each in leaking)} of {len(leaking)} fail their test"
    yield f"   with the culprit: {sum(each.named for each in leaking)}, with culprit and line: {len(right)}"
    yield f"harmless: {sum(each.failed for each in harmless)} of {len(harmless)} fail"
    for each in answers:
        if each.failed != each.run.leaking or (each.run.leaking and each not in right):
            told = "; ".join(f"{leak['type']} {leak['per_call']:g} at {leak['where'] or '?'}" for leak in each.leaks)
            notes = "".join(f" [{note}]" for note in each.notes)
            yield f"   {each.run.label}: {told or 'nothing'} in {each.calls} calls{notes}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.programs", description=__doc__)
    parser.add_argument("--half", choices=HALVES)
    parser.add_argument("--group", choices=GROUPS, default="earlier")
    parser.add_argument("--only", nargs="*", default=[], metavar="CASE")
    parser.add_argument("--installed", action="store_true", help="also the programs that need packages of their own")
    parser.add_argument("--calls", type=int, default=40_000)
    parser.add_argument("--budget", type=float, default=600.0, help="seconds of calls for a program")
    parser.add_argument("--jobs", type=int, default=1, help="programs at a time")
    parser.add_argument("--environments", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--record", type=Path, metavar="FILE", help="goes on with the answers of this file")
    options = parser.parse_args()
    runs = [run for run in planned(options.half, options.only, options.group) if options.installed or not run.release]
    answers = list(_driven(runs, options))
    print(*lines(answers), sep="\n")
    leaking = [each for each in answers if each.run.leaking]
    right = sum(each.failed and each.named and each.placed for each in leaking)
    flagged = any(each.failed and not each.run.leaking for each in answers)
    return int(flagged or right < TARGET * len(leaking))


def _driven(runs: list[Run], options: argparse.Namespace) -> Iterator[Answer]:
    """Those of the record, then each as it ends; what cannot be driven is said."""
    known = _recorded(options.record)
    for run in runs:
        if run.label in known:
            yield Answer(run, **known[run.label])
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        under_way = {pool.submit(answer, run, options): run for run in runs if run.label not in known}
        for future in as_completed(under_way):
            label = under_way[future].label
            try:
                each = future.result()
            except (NotInstallableError, RuntimeError, subprocess.TimeoutExpired) as error:
                print(f"   {label} was not driven: {error}", flush=True)
                continue
            if options.record:
                said = {name: getattr(each, name) for name in RECORDED}
                with options.record.open("a") as file:
                    print(json.dumps({"label": label, **said}), file=file)
            print(
                f"   {label}: {'fails' if each.failed else 'passes'}, {each.calls} calls, {each.seconds:.0f} s",
                flush=True,
            )
            yield each


def _recorded(record: Path | None) -> dict[str, dict[str, Any]]:
    if record is None or not record.exists():
        return {}
    rows = [json.loads(line) for line in record.read_text().splitlines()]
    return {row.pop("label"): row for row in rows}


if __name__ == "__main__":
    sys.exit(main())
