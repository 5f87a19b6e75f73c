"""The wheel: what a site gets by ``pip install``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import psutil
import pytest

from memwatch import __version__
from tests.sampling.ways import need_walk

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(build(tmp_path_factory.mktemp("wheel"))) as opened:
        yield opened


def build(folder: Path, **environ: str) -> Path:
    """A wheel of the package alone: of a copy, so that nothing of an earlier build is in it."""
    source = folder / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        source.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "memwatch", source / "memwatch", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    done = subprocess.run(
        [*command, "-w", folder, source], capture_output=True, text=True, check=False, env={**os.environ, **environ}
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("memwatch-*.whl")
    assert f"-{__version__}-" in path.name
    return path


def test_it_has_everything_that_the_application_needs_at_run_time(wheel: zipfile.ZipFile) -> None:
    packed = set(wheel.namelist())
    folders = (ROOT / "memwatch").rglob("*")
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in folders
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".pyc", ".so")
    }
    assert wanted <= packed
    assert {"memwatch/py.typed", "memwatch/migrations/0001_initial.py", "memwatch/static/memwatch/admin.css"} <= packed


def test_it_has_the_compiled_walk_and_without_a_compiler_everything_else(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    need_walk()
    compiled = {name for name in wheel.namelist() if name.endswith(".so")}
    assert sorted(name.partition(".")[0] for name in compiled) == [
        "memwatch/agent/_collector_break", "memwatch/diagnosis/heap_dump/_copy_walk", "memwatch/sampling/_allocators",
        "memwatch/sampling/_heap_walk", "memwatch/sampling/_stopped_walk",
    ]  # fmt: skip
    with zipfile.ZipFile(build(tmp_path, CC="/bin/false")) as without:
        assert set(wheel.namelist()) - set(without.namelist()) == compiled
        without.extractall(tmp_path)
    ask = "from memwatch.sampling.walk import census_method; print(census_method())"
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "fallback: the compiled part is not installed\n", done.stderr


def test_it_has_nothing_of_the_deployment_the_examples_and_the_tests(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in wheel.namelist()} == {"memwatch", f"memwatch-{__version__}.dist-info"}


def test_the_core_needs_psutil_alone_and_the_rest_is_an_extra(wheel: zipfile.ZipFile) -> None:
    about = Parser().parsestr(wheel.read(f"memwatch-{__version__}.dist-info/METADATA").decode())
    always = [need for need in about.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert [need.split(">")[0].strip() for need in always] == ["psutil"]
    assert {"django", "api", "prometheus", "redis", "postgres", "flamegraph"} <= set(
        about.get_all("Provides-Extra", [])
    )


def test_the_redis_extra_asks_for_what_the_transport_needs_alone(wheel: zipfile.ZipFile) -> None:
    """Celery's own extra holds redis-py down, also that of the site."""
    about = Parser().parsestr(wheel.read(f"memwatch-{__version__}.dist-info/METADATA").decode())
    needs = about.get_all("Requires-Dist", [])
    assert {re.match(r"[\w-]+", need)[0] for need in needs if 'extra == "redis"' in need} == {"redis", "packaging"}  # type: ignore[index]
    assert [need for need in needs if re.match(r"(celery|kombu)\[|redis.*<", need)] == []


def test_installed_with_psutil_alone_the_profiler_finds_a_leak(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """No site-packages at all: an import of anything else would fail."""
    wheel.extractall(tmp_path)
    (tmp_path / "psutil").symlink_to(Path(psutil.__file__).parent)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import asyncio, datetime
from memwatch.profiler import get_memory_profiler
from memwatch.records import MemorySnapshot

class Kept: pass
kept = []

async def main():
    profiler = get_memory_profiler()
    taken = []
    begin = datetime.datetime.now(datetime.timezone.utc)
    for number in range(20):
        kept.extend(Kept() for _ in range(300))
        snapshot = await profiler.take_snapshot()
        moment = begin + datetime.timedelta(minutes=number)
        taken.append({{**snapshot.to_dict(), "timestamp": moment.isoformat()}})
    return await profiler.detect_leaks(taken)

print([leak.object_type for leak in asyncio.run(main())])
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "__main__.Kept" in done.stdout
    assert done.stderr == ""
