"""The version is written in two places."""

from __future__ import annotations

import tomllib
from pathlib import Path

import memwatch


def test_the_package_and_its_build_name_the_same_version() -> None:
    build = tomllib.loads((Path(memwatch.__file__).parents[1] / "pyproject.toml").read_text())
    assert build["project"]["version"] == memwatch.__version__
