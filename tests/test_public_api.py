"""What ``from memwatch import …`` offers, at what cost, and that type checkers and the documents see the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import memwatch
from memwatch import DriftReport, Leak, MemoryMetrics, MemoryProfiler, MemorySnapshot, get_memory_profiler

ROOT = Path(__file__).parents[1]


def test_the_names_are_those_of_the_modules_they_live_in() -> None:
    from memwatch import profiler, records

    assert (MemoryProfiler, get_memory_profiler) == (profiler.MemoryProfiler, profiler.get_memory_profiler)
    assert (MemorySnapshot, Leak) == (records.MemorySnapshot, records.Leak)
    assert (DriftReport, MemoryMetrics) == (records.DriftReport, records.MemoryMetrics)


def test_a_name_that_is_not_public_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'memwatch' has no attribute 'Sampler'"):
        memwatch.Sampler  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        exec("from memwatch import Sampler")


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_importing_the_package_imports_nothing_else() -> None:
    program = "import sys; before = {*sys.modules}; import memwatch; print(*sorted({*sys.modules} - before))"
    assert run(program) == "memwatch"


def test_every_name_is_listed_before_it_is_loaded() -> None:
    assert run("import memwatch; print({*memwatch.__all__} <= {*dir(memwatch)})") == "True"


def test_values_are_loaded_without_the_profiler() -> None:
    assert run("import sys; from memwatch import Leak; print('memwatch.profiler' in sys.modules)") == "False"


def test_a_type_checker_knows_each_name_and_refuses_others(tmp_path: Path) -> None:
    public = ", ".join(memwatch.__all__)
    (tmp_path / "site.py").write_text(
        f"from memwatch import {public}\nreveal_type(MemoryProfiler().is_running)\nfrom memwatch import Sampler\n"
    )
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\n")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", "cache", "site.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert re.findall(r"(site.py:\d+): (?:note|error): (.*?)(?:  \[|$)", done.stdout, re.MULTILINE) == [
        ("site.py:2", 'Revealed type is "bool"'),
        ("site.py:3", 'Module "memwatch" has no attribute "Sampler"'),
    ]


def test_the_documents_name_each_of_them() -> None:
    page = (ROOT / "docs" / "MEMORY_PROFILING_API.md").read_text()
    section = page.partition("## What is public")[2].partition("\n## ")[0]
    assert {name for name in memwatch.__all__ if f"`{name}`" not in section} == set()
