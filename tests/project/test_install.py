"""Installing says in one plain line what is missing."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "project" / "install.py"


def install(folder: Path, python: str = sys.executable, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, str(INSTALL), "requirements.txt"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **extra},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_ensurepip_it_names_the_package_to_install(tmp_path: Path):
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    done = install(tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0
    assert "python3-venv" in done.stderr


@pytest.fixture
def made_venv(tmp_path: Path) -> Path:
    venv.create(tmp_path / ".venv", with_pip=True, symlinks=True)
    return tmp_path


def test_without_a_network_it_says_so(made_venv: Path):
    (made_venv / "requirements.txt").write_text("nowhere-to-be-found==1.0 --hash=sha256:" + "0" * 64)
    done = install(made_venv, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0", PIP_CONFIG_FILE="/dev/null")
    assert done.returncode == 1
    assert "check the network" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
