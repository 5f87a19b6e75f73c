"""Annotations that GitHub Actions shows beside the line of a pull request."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from memwatch.pytest_plugin.sentences import rate_of


def lines(leaks: Sequence[tuple[str, Mapping[str, Any]]], environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A workflow command for each ``(test, leak)``; nothing elsewhere than in GitHub Actions."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    for test, leak in leaks:
        file, _, line = str(leak["where"]).rpartition(":")
        if not Path(file).is_file():
            file, line = test.partition("::")[0], "1"
        text = f"{test} leaks {leak['type']}: {rate_of(leak['per_call'], leak['unit'])}"
        if leak["holder"]:
            text += f", held by {leak['holder']}"
        yield f"::error file={_property(file)},line={_property(line)},title=Memory leak::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
