"""What tools outside the repository read from it: workflows, hooks, templates, the changelog."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCHEMAS = {
    **dict.fromkeys((ROOT / ".github/workflows").glob("*.yml"), "github-workflows"),
    **dict.fromkeys((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"), "github-issue-forms"),
    ROOT / ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    ROOT / ".readthedocs.yaml": "readthedocs",
}


def tool(name: str, *arguments: str) -> str:
    program = Path(sys.executable).with_name(name)
    done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_file_for_a_service_follows_its_schema(file: Path) -> None:
    tool("check-jsonschema", "--builtin-schema", f"vendor.{SCHEMAS[file]}", str(file))


def test_hooks_run_the_locked_versions() -> None:
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {hook["repo"].rpartition("/")[2]: hook["rev"] for hook in hooks} == {
        "ruff-pre-commit": f"v{locked['ruff']}",
        "codespell": f"v{locked['codespell']}",
    }


def test_workflows_call_targets_that_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "".join(
        path.read_text() for path in [*(ROOT / ".github/workflows").glob("*.yml"), ROOT / ".readthedocs.yaml"]
    )
    called = set(re.findall(r"- (?:run: )?(?:make|\.ci/run) ([\w-]+)", text))
    assert {"lint", "test", "matrix", "wheel", "docs"} <= called <= targets


def test_every_fragment_has_a_kind_that_the_release_notes_know() -> None:
    kinds = {
        kind["directory"] for kind in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    }
    fragments = [path for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md"]
    assert [path.name for path in fragments if path.name.split(".")[-2] not in kinds] == []
    notes = " ".join(tool("towncrier", "build", "--draft").split())
    assert [path.name for path in fragments if " ".join(path.read_text().split()) not in notes] == []
