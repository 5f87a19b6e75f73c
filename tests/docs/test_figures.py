"""docs/figures.md and the page of the API name every figure there is."""

from __future__ import annotations

import dataclasses
import re

import pytest

from memwatch.records import DriftReport, Leak, MemoryMetrics, MemorySnapshot
from tests.docs.examples import ROOT

FIGURES = (ROOT / "docs" / "figures.md").read_text()
API = (ROOT / "docs" / "MEMORY_PROFILING_API.md").read_text()


def names_of(cls: type) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)}


def test_every_figure_of_a_snapshot_is_explained_once() -> None:
    explained = [
        name for row in re.findall(r"^\| (`.+?) \|", FIGURES, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(explained) == sorted(names_of(MemorySnapshot) - {"timestamp"})


@pytest.mark.parametrize("cls", [MemorySnapshot, Leak, DriftReport, MemoryMetrics])
def test_the_api_names_every_attribute(cls: type) -> None:
    paragraph = API.partition(f"**`{cls.__name__}`**")[2].partition("\n\n")[0]
    assert names_of(cls) <= set(re.findall(r"`(\w+)`", paragraph))
