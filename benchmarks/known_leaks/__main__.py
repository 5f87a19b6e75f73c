"""Known leaks, shown: each program with the release that leaks and with the one that fixed it.

``python -m benchmarks.known_leaks [ID …]``. The entries of ``memwatch/known_causes/known_leaks.toml`` that have
``reproduced`` say which releases; ``uv`` puts them into environments of their own, which stay. Ends with 1 if one of
them does not show.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matrix import interpreters
from memwatch.known_causes.releases import PYTHON, KnownLeak, Reproduction, known_leaks

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / "var" / "known_leaks"
RESULTS = HERE / "results.json"
FIGURES = ("objects", "blocks", "rss_bytes")
LEAST = {"objects": 0.5, "blocks": 0.5, "rss_bytes": 200.0}
"""Per call, of the second half of the calls: less is taken for none."""
SHARE = 0.2
"""The fix leaves less than this of the growth."""
TIMEOUT_S = 1800


def main() -> int:
    """Run those named, or all, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.known_leaks", description=__doc__)
    parser.add_argument("--table", action="store_true", help="run nothing, and print the stored results as Markdown")
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="of memwatch/known_causes/known_leaks.toml; all when none is given"
    )
    given = parser.parse_args()
    wanted = given.ids
    entries = [leak for leak in known_leaks() if leak.reproduced and (not wanted or leak.id in wanted)]
    if unknown := set(wanted) - {leak.id for leak in entries}:
        parser.error(f"not reproduced: {', '.join(sorted(unknown))}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if given.table:
        print(table(results))
        return 0
    pythons = installed_pythons()
    for leak in entries:
        found = run(leak, leak.reproduced, pythons)  # type: ignore[arg-type]  # chosen so
        results[leak.id] = found
        print(line(leak.id, found), flush=True)
        RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
    return any(not results[leak.id].get("shown") for leak in entries)


def installed_pythons() -> dict[str, str]:
    """Programs by version: ``3.12.1``, and ``3.12`` for the newest of them."""
    found: dict[str, str] = {}
    for program in interpreters.programs(os.environ):
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        if version := re.search(r"Python (\d+\.\d+)\.(\d+)$", done.stdout.strip()):
            found[version[0].removeprefix("Python ")] = found[version[1]] = program
    return found


def run(leak: KnownLeak, known: Reproduction, pythons: Mapping[str, str]) -> dict[str, Any]:
    """What both releases leave behind in each call."""
    found: dict[str, Any] = {"python": known.python}
    for name, release in (("affected", known.affected), ("fixed", known.fixed)):
        version = release if leak.package == PYTHON else known.python
        program = pythons.get(version)
        if program is None:
            return {**found, "missing": f"no Python {version}"}
        requirements = list(known.requires)
        if leak.package != PYTHON:
            requirements.append(f"{leak.package}=={release}")
        python = environment(program, version, requirements) if requirements else program
        done = subprocess.run(
            [python, str(HERE / "measure.py"), str(HERE / "programs" / f"{leak.id}.py")],
            capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
        if done.returncode:
            return {**found, "missing": done.stderr.strip().splitlines()[-1][:200]}
        found[name] = {"release": release, **json.loads(done.stdout.splitlines()[-1])}
    return {**found, "shown": shown(found["affected"], found["fixed"])}


def shown(affected: Mapping[str, Any], fixed: Mapping[str, Any]) -> str:
    """The first figure that grows from call to call with the one release and not with the other; empty if none does."""
    for name in FIGURES:
        grows, stays = min(affected[name]), fixed[name][-1]
        if grows >= LEAST[name] and stays <= SHARE * grows:
            return name
    return ""


def environment(program: str, version: str, requirements: list[str]) -> str:
    """The Python of an environment that has these, made if it is not there."""
    name = re.sub(r"[^\w.=-]+", "_", f"{version}-{'-'.join(requirements)}")
    folder = ENVIRONMENTS / name
    python = str(folder / "bin" / "python")
    if not (folder / "complete").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", program, str(folder)], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", python, *requirements], check=True)
        (folder / "complete").touch()
    return python


def line(name: str, found: Mapping[str, Any]) -> str:
    """One row of the table."""
    if "missing" in found:
        return f"{name:26} not run: {found['missing']}"
    said = [f"{each}: {found[each]['release']} " + figures(found[each]) for each in ("affected", "fixed")]
    return f"{name:26} {'shown by ' + found['shown'] if found['shown'] else 'NOT SHOWN'}; {'; '.join(said)}"


def table(results: Mapping[str, Any]) -> str:
    """One row for each release, in Markdown."""
    rows = [
        "| entry | Python | release | objects | blocks | bytes of RSS |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for name, found in results.items():
        for each in ("affected", "fixed"):
            measured = found[each]
            cells = [f"{measured[figure][-1]:,.1f}" for figure in FIGURES]
            first = (f"`{name}`", found["python"]) if each == "affected" else ("", "")
            rows.append(f"| {' | '.join([*first, measured['release'], *cells])} |".replace("|  |", "| |"))
    return "\n".join(rows)


def figures(measured: Mapping[str, Any]) -> str:
    """Of the last batch of calls."""
    return ", ".join(f"{measured[name][-1]:+,.1f} {name.replace('rss_bytes', 'bytes of RSS')}" for name in FIGURES)


if __name__ == "__main__":
    raise SystemExit(main())
