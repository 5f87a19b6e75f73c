"""The pictures of the architecture show the modules that there are, and arrows that are imports."""

from __future__ import annotations

import re
from functools import cache

import grimp
import pytest

from tests.docs.blocks import ROOT, blocks_of_page

FLOW, IMPORTS = (
    block.text for block in blocks_of_page(ROOT / "docs" / "how-it-works.md") if block.language == "mermaid"
)
NODES = re.compile(r'(\w+)[\[(]+"([^"]*?)"')
ARROWS = re.compile(r"^ *(\w+) --> (\w+)", re.MULTILINE)
OF_DJANGO = {"memwatch.migrations", "memwatch.templatetags"}
"""Packages that Django wants to be there."""


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("memwatch", cache_dir=None)


def modules_of(picture: str) -> dict[str, str]:
    """The module of each node that stands for one."""
    found = {name: re.search(r"memwatch\.\w+", label) for name, label in NODES.findall(picture)}
    return {name: match[0] for name, match in found.items() if match}


def packages() -> set[str]:
    return {name for name in graph().find_children("memwatch") if graph().find_children(name)} - OF_DJANGO


def arrows(picture: str) -> set[tuple[str, str]]:
    named = modules_of(picture)
    bare = re.sub(r'[\[(]+"[^"]*"[\])]+', "", picture)
    return {(named[source], named[target]) for source, target in ARROWS.findall(bare)}


def imports(importer: str, imported: str) -> bool:
    """Directly: the one, or a module of it, the other, or a module of it."""
    chains = graph().find_shortest_chains(importer=importer, imported=imported, as_packages=True)
    return any(len(chain) == 2 for chain in chains)


@pytest.mark.parametrize("picture", [FLOW, IMPORTS], ids=["flow", "imports"])
def test_the_modules_of_a_picture_are_there(picture: str) -> None:
    assert len(modules_of(picture)) > 8
    assert set(modules_of(picture).values()) <= graph().find_children("memwatch")


@pytest.mark.parametrize("picture", [FLOW, IMPORTS], ids=["flow", "imports"])
def test_its_arrows_are_imports(picture: str) -> None:
    assert len(arrows(picture)) == picture.count("-->")
    assert [arrow for arrow in arrows(picture) if not imports(*arrow)] == []


def test_no_package_is_left_out() -> None:
    assert packages() - set(modules_of(IMPORTS).values()) == set()
