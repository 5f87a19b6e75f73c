"""Which Pythons the matrix runs on, and what becomes of its results."""

from __future__ import annotations

import json
import platform
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.make_reference import support
from matrix import interpreters, runs

ROOT = Path(__file__).parents[2]


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def of_version(path: Path, version: str, *, free_threaded: bool = False) -> Path:
    """A program that says it is this CPython."""
    numbers = [int(number) for number in version.split(".")]
    answer = json.dumps(["cpython", version, numbers, free_threaded, "Linux x86_64 glibc 2.36"])
    return program(path, f"echo '{answer}'")


def test_the_newest_patch_of_each_version_is_found_in_pyenv_and_on_the_path(tmp_path: Path) -> None:
    pyenv, path = tmp_path / "pyenv", tmp_path / "bin"
    of_version(pyenv / "versions/3.13.0/bin/python3", "3.13.0")
    newest = of_version(pyenv / "versions/3.13.18/bin/python3", "3.13.18")
    of_version(pyenv / "versions/3.9.18/bin/python3", "3.9.18")
    of_version(path / "python3.13", "3.13.5")
    lone = of_version(path / "python3.14t", "3.14.2", free_threaded=True)
    program(path / "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    program(path / "python3.12-config", "exit 0")
    found = interpreters.found({"PYENV_ROOT": str(pyenv), "PATH": str(path)})
    assert [(each.minor, each.version, each.program) for each in found] == [
        ("3.13", "3.13.18", str(newest)),
        ("3.14t", "3.14.2t", str(lone)),
    ]


def test_named_ones_are_all_taken_and_one_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    older, newer = (of_version(tmp_path / f"python-{patch}", f"3.13.{patch}") for patch in (0, 18))
    found = interpreters.found({"PYTHONS": f"{newer} {older}"})
    assert [each.version for each in found] == ["3.13.0", "3.13.18"]
    with pytest.raises(SystemExit, match="no-such-python"):
        interpreters.found({"PYTHONS": f"{newer} no-such-python"})


def test_this_python_is_what_it_says() -> None:
    asked = interpreters.ask(sys.executable)
    assert asked is not None
    assert asked.version.rstrip("t") == platform.python_version()
    assert asked.platform.split()[:2] == [platform.system(), platform.machine()]


def row(python: str, django: str, **more: Any) -> dict[str, Any]:
    given = {"celery": "5.7.0", "census": "native walk", "recordings": True, "null": [], "platform": "Linux x86_64"}
    return {
        "python": python,
        "django": django,
        **given,
        "passed": 1700,
        "failed": 0,
        "skipped": 2,
        "seconds": 90,
        **more,
    }


def test_a_result_takes_the_place_of_an_older_one_of_the_same_pair(tmp_path: Path) -> None:
    results = tmp_path / "new" / "results.json"
    for python, django in (("3.14.2t", "6.1.1"), ("3.13.0", "6.0.1"), ("3.9.9", "5.2.1"), ("3.13.18", "6.0.10")):
        runs.keep(results, row(python, django))
    kept = json.loads(results.read_text())
    assert [(each["python"], each["django"]) for each in kept] == [
        ("3.9.9", "5.2.1"), ("3.13.18", "6.0.10"), ("3.14.2t", "6.1.1"),
    ]  # fmt: skip


def test_the_table_says_what_a_python_does_not_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results.json"
    runs.keep(results, row("3.14.2t", "6.1.1", recordings=False, null=["heap_used_mb"], census="fallback: why"))
    monkeypatch.setattr(support, "RESULTS", results)
    last = support.support().splitlines()[-1]
    assert "1,700 passed, 0 failed, 2 skipped" in last
    assert last.endswith("| `heap_used_mb`, recordings |")


def test_counts_are_taken_from_pytests_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>')
    assert runs.counted(report) == {"passed": 3, "failed": 3, "skipped": 3}


def test_locked_versions_constrain_all_but_django(tmp_path: Path) -> None:
    lines = runs.constraints(tmp_path).read_text().splitlines()
    assert not [line for line in lines if line.startswith("django==") or "--hash" in line]
    assert [line for line in lines if line.startswith("celery==")]
    assert [line for line in lines if line.startswith("numpy==") and "python_full_version" in line]


def test_the_public_checks_name_every_supported_python() -> None:
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    jobs = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())["jobs"]
    assert jobs["matrix"]["strategy"]["matrix"]["python"] == classifiers
    wheels = re.search(r'^build = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert wheels is not None
    assert wheels[1].split() == [f"cp{version.replace('.', '')}-*" for version in classifiers]


def test_every_test_that_the_matrix_runs_is_there() -> None:
    assert [path for part in runs.CORE for path in part if not (ROOT / path).exists()] == []


def test_a_run_without_tests_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="pytest ended with 4"):
        runs._tested(sys.executable, tmp_path, ["tests/matrix/test_that_is_gone.py"])
