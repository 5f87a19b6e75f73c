"""The core's tests with every Python of this machine and every Django that runs on it: ``make matrix``.

Run by any Python 3.11 or newer (``python3 -m matrix``): it needs the standard library alone. Environments stay in
``var/matrix``. The result of each pair goes into a JSON file, in place of an older one of the same pair.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matrix.interpreters import Interpreter, found

ROOT = Path(__file__).parents[1]
DJANGOS: Mapping[str, tuple[int, int]] = {"5.2": (3, 11), "6.0": (3, 12), "6.1": (3, 12)}
"""Each with the oldest Python that it takes."""
HEAP = (*(f"tests/{folder}" for folder in ("sampling", "diagnosis", "agent")), "tests/test_memory_profiler.py")
"""Passes over the heap of the test run itself: it is a third as large without the other tests."""
OTHERS = (
    *(f"tests/{folder}" for folder in ("transport", "detection", "metrics")),
    *(f"tests/heapdump/test_{name}.py" for name in ("compiled", "dump")),
    *(f"tests/launch/test_{name}.py" for name in ("run", "attach")),
    *(f"tests/test_{name}.py" for name in ("core_without_django", "exposition", "sub_interpreters", "traced_site")),
    "tests/host_hooks/test_jobs.py",
    "tests/profiler/test_alerts.py",
)
CORE = (HEAP, OTHERS)
"""What looks into the interpreter, what Pythons and Djangos make different, and what sites import."""
EXTRAS = "django,api,prometheus,redis,postgres,flamegraph,terminal,heapdump"
LENIENT = (
    "get_connection() is deprecated",
    "The 'connection' argument is deprecated",
    "Django 2028 will not have a default mailer",
)
"""Django 6.1 would have mail configured and sent as 5.2 cannot; both work. No other warning is let pass."""


def run(arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(arguments, cwd=ROOT, check=True, **options)  # noqa: S603 - our own


def constraints(folder: Path) -> Path:
    """The locked versions without their hashes, and without Django, which the matrix chooses."""
    lines = re.findall(r"^(?!django==)([\w.-]+==[^\\\n]*)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    target = folder / "constraints.txt"
    target.write_text("\n".join(lines))
    return target


def environment(interpreter: Interpreter, django: str, folder: Path) -> str:
    """An environment with this Django; its program. django-prometheus refuses Django 6.1 by its metadata alone."""
    python = str(folder / "bin" / "python")
    if not Path(python).exists():
        run([interpreter.program, "-m", "venv", str(folder)])
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    run([*pip, "--upgrade", "pip", "setuptools"])
    run([*pip, "-c", str(constraints(folder)), "--group", "project", "--group", "tests", f".[{EXTRAS}]"])
    run([*pip, "--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=compat", "--editable", "."])
    run([*pip, f"django~={django}.0"])
    return python


def counted(report: Path) -> dict[str, Any]:
    """Tests by their outcome."""
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 - what pytest has written
    assert suite is not None  # noqa: S101
    tests, failed, skipped = (
        sum(int(suite.attrib[name]) for name in names) for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return {"passed": tests - failed - skipped, "failed": failed, "skipped": skipped}


def _names_tests(arguments: Sequence[str]) -> bool:
    return any(argument.startswith("tests") for argument in arguments)


def tested(python: str, folder: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Run the core's tests, or those that the arguments name; how they went."""
    begun = time.monotonic()
    outcomes = [_tested(python, folder, [*arguments, *part]) for part in ([()] if _names_tests(arguments) else CORE)]
    return {name: sum(each[name] for each in outcomes) for name in ("passed", "failed", "skipped")} | {
        "seconds": round(time.monotonic() - begun)
    }


def _tested(python: str, folder: Path, arguments: Sequence[str]) -> dict[str, Any]:
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    pytest += [f"-Wdefault:{text}" for text in LENIENT]
    settings = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run([*pytest, *arguments], cwd=ROOT, env=settings, check=False)  # noqa: S603 - our own
    found = counted(report)
    if done.returncode not in (0, 1) or found["passed"] + found["failed"] == 0:  # 1: a test failed
        raise SystemExit(f"memwatch: pytest ended with {done.returncode} and ran {found}: see above")
    return found


def keep(results: Path, row: dict[str, Any]) -> None:
    """Put the row in the place of an older one of the same Python, Django and platform."""
    rows = json.loads(results.read_text()) if results.exists() else []
    rows = [other for other in rows if _pair(other) != _pair(row)] + [row]
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(sorted(rows, key=_pair), indent=1) + "\n")


def _pair(row: Mapping[str, Any]) -> tuple[bool, list[int], str, str]:
    minor = [int(number) for number in row["python"].rstrip("t").split(".")[:2]]
    return row["python"].endswith("t"), minor, row["django"].rpartition(".")[0], " ".join(row["platform"].split()[:3])


def main() -> int:
    """Exit code 1 where a test failed."""
    parser = argparse.ArgumentParser(prog="python3 -m matrix", description=__doc__)
    parser.add_argument("--only", help="one Python, e.g. 3.13 or 3.14t")
    parser.add_argument("--django", action="append", choices=DJANGOS, help="this one; all that fit without it")
    parser.add_argument("--results", type=Path, default=Path("var/matrix/results.json"), help="where the table goes")
    parser.add_argument("arguments", nargs="*", help="of pytest; tests among them are run in place of the core's")
    options = parser.parse_args()
    interpreters = [each for each in found() if options.only in (None, each.minor)]
    if not interpreters:
        raise SystemExit(f"memwatch: no Python {options.only or '3.11 or newer'} found; PYTHONS may name one")
    failed = 0
    for interpreter in interpreters:
        fitting = [name for name, oldest in DJANGOS.items() if interpreter.numbers >= oldest]
        for django in [name for name in fitting if name in (options.django or fitting)]:
            sys.stdout.write(f"Python {interpreter.version}, Django {django} …\n")
            sys.stdout.flush()
            folder = ROOT / "var" / "matrix" / f"{interpreter.version}-{django}"
            folder.mkdir(parents=True, exist_ok=True)
            python = environment(interpreter, django, folder)
            row = json.loads(run([python, "-m", "matrix.support"], capture_output=True).stdout)
            row = {"python": interpreter.version, **row, "platform": interpreter.platform}
            row |= tested(python, folder, options.arguments)
            failed += row["failed"]
            if not _names_tests(options.arguments):
                keep(options.results, row)
    return bool(failed)
