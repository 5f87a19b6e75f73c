"""What a program may notice of ``memwatch run``: nothing."""

from __future__ import annotations

import os
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from memwatch.agent.config.environment import read_keys
from memwatch.launch import command, pth
from tests.launch.running import ROOT, Hub, done, environment, python, running

STARTED = """
import time
from memwatch.launch import starter
while starter._starter._running:
    time.sleep(0.01)
"""
"""Waits until the agent runs, or has said why not."""


def test_the_current_folder_stays_on_the_path(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "own_module.py").touch()
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "program.py").write_text("import own_module\nprint(own_module.__file__)\n")
    environ = environment(hub, PYTHONPATH=f"{os.pathsep}{ROOT}")
    got = done(python("programs/program.py"), environ, tmp_path)
    assert (got.stdout, got.stderr) == (f"{tmp_path}/own_module.py\n", "")


WISH = """
import gc, sys, threading

class Wish:
    def find_spec(self, name, path=None, target=None):
        if name == "memwatch.launch.watch":
            {wish}

sys.meta_path.insert(0, Wish())
sys.stdin.readline()
"""


@pytest.mark.parametrize("wish", ["pass", "gc.disable()", "gc.set_threshold(500, 5, 5)"])
def test_threads_and_garbage_collection_are_those_of_the_program(hub: Hub, tmp_path: Path, wish: str) -> None:
    """Also what it sets while the agent's modules are imported. It collects nothing while the agent works."""
    off = wish == "gc.disable()"
    shown = f"end = time.monotonic() + 9\nwhile gc.isenabled() is {off} and time.monotonic() < end:\n    pass\n"
    shown += "print(gc.isenabled(), gc.get_threshold(), threading.enumerate() == [threading.main_thread()])"
    with running(python("-c", f"{WISH.format(wish=wish)}{STARTED}{shown}"), environment(hub), tmp_path) as process:
        hub.wait_for(process.pid)
        out, _ = process.communicate("\n")
    plain = done([sys.executable, "-c", f"import gc; {wish}; print(gc.isenabled(), gc.get_threshold(), True)"],
                 environment(hub), tmp_path)  # fmt: skip
    assert (out, (tmp_path / "errors").read_text()) == (plain.stdout, "")


def test_a_key_is_read_from_a_regular_file_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    with pytest.raises(command.Wrong, match="is no regular file"):
        command.prepare({"MEMWATCH_TRANSPORT": "local:///hub"}, {"--key-file": path})
    writer = os.open(path, os.O_RDWR)
    try:
        os.write(writer, b"k" * 5000)
        with pytest.raises(ValueError, match="is no regular file"):
            read_keys(path)
    finally:
        os.close(writer)


HEAVY = ("_hashlib", "_ssl", "_bz2", "_lzma", "hmac", "secrets", "tempfile", "urllib.request", "asyncio", "email")
"""What takes megabytes or milliseconds to load."""


def test_what_is_heavy_is_loaded_only_for_the_program(hub: Hub, tmp_path: Path) -> None:
    script = f"import sys; sys.stdin.readline(); print([each for each in {HEAVY} if each in sys.modules])"
    with running(python("-c", script), environment(hub), tmp_path) as process:
        hub.wait_for(process.pid)
        out, _ = process.communicate("\n")
    assert out == "[]\n"


def test_the_start_loads_no_threads_for_a_program_without_any(hub: Hub, tmp_path: Path) -> None:
    got = done(python("-c", "import sys; print('threading' in sys.modules)"), environment(hub), tmp_path)
    assert (got.stdout, got.stderr) == ("False\n", "")


ZIPPED = """
import importlib.util, sys
from memwatch.launch import imports
imports.install()
sys.path.insert(0, "programs.zip")
importlib.util.find_spec("huey.api")
importlib.util.find_spec("huey.api")
import huey.other, huey.api
print(imports._waiting, "exec_module" in vars(huey.api.__loader__))
"""


def test_a_module_in_a_zip_file_may_be_looked_for_twice(hub: Hub, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "programs.zip", "w") as file:
        for name in ("__init__", "api", "other"):
            file.writestr(f"huey/{name}.py", "")
    got = done([sys.executable, "-c", ZIPPED], environment(hub), tmp_path)
    assert (got.stdout, got.stderr) == ("['huey.api'] False\n", "")


@pytest.mark.parametrize(
    ("options", "installed", "begins"), [(["-S"], True, True), (["-S"], False, False), (["-S", "-I"], True, False)]
)
def test_what_install_writes_harms_no_python(
    hub: Hub, tmp_path: Path, options: list[str], installed: bool, begins: bool
) -> None:
    """Not one where memwatch was uninstalled since, and an isolated one is not watched."""
    (tmp_path / pth.NAME).write_text(pth._LINE)
    program = f"import site, sys; sys.path += [{str(ROOT)!r}] * {installed}; "
    program += f"site.addpackage({str(tmp_path)!r}, {pth.NAME!r}, set()); print('memwatch.launch.begin' in sys.modules)"
    environ = {name: value for name, value in environment(hub).items() if name != "PYTHONPATH"}
    got = done([sys.executable, *options, "-c", program], environ, tmp_path)
    assert (got.stdout, got.stderr) == (f"{begins}\n", "")


@pytest.mark.parametrize("switch", ["--install", "--uninstall"])
def test_a_place_that_cannot_be_written_is_one_line(
    switch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path / "file"))
    assert command.main([switch]) == 1
    path = tmp_path / "file" / pth.NAME
    assert capsys.readouterr().err == f"memwatch: {switch}: {path} cannot be changed: Not a directory\n"


CHILD = f"""
import subprocess, sys
child = subprocess.run([sys.executable, "-c", {STARTED!r}], capture_output=True, text=True)
print([child.returncode, child.stderr])
"""


def test_no_child_writes_what_its_parent_reads(hub: Hub, tmp_path: Path) -> None:
    environ = environment(hub, MEMWATCH_SNAPSHOT_INTERVAL="soon")
    environ["PYTHONPATH"] = f"{command.FOLDER}{os.pathsep}{environ['PYTHONPATH']}"  # as with --folder
    got = done([sys.executable, "-c", CHILD + STARTED], environ, tmp_path)
    assert got.stdout == "[0, '']\n"
    assert len(got.stderr.splitlines()) == 1
