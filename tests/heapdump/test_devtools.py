"""Chrome's own Memory panel opens a snapshot, and finds the same retained sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from memwatch.heapdump.analysis.dominators import dominator_tree
from memwatch.heapdump.export.heapsnapshot import write_heapsnapshot
from tests.admin.visitor import browser, program
from tests.heapdump.planted import COUNT, EACH, PLANTED, Planted

__all__ = ["browser", "program"]
pytestmark = pytest.mark.browser
PANEL = "devtools://devtools/bundled/devtools_app.html?panel=heap-profiler"


def opened(page: Page, path: Path) -> None:
    """Load the file as a person does."""
    page.goto(PANEL)
    page.get_by_role("tab", name="Memory").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Load profile", exact=True).first.click()
    chooser.value.set_files(path)
    page.get_by_role("treeitem").filter(has_text=re.compile(r"\(.*B\)")).click()


def row(page: Page, text: str) -> Locator:
    """Of the table of objects."""
    return page.locator(".data-grid-data-grid-node", has_text=text).first


def bytes_of(figures: Locator) -> float:
    """Of a retained size, the last column with text: ``5.9 kB3 %``."""
    value, unit = re.findall(r"([\d,.]+)\s*(B|kB|MB)", figures.inner_text().replace("\xa0", " "))[-1]
    return float(value.replace(",", "")) * {"B": 1, "kB": 1_000, "MB": 1_000_000}[unit]


def test_the_memory_panel_shows_types_dominators_and_retained_sizes(browser: Browser, tmp_path: Path) -> None:
    planted = Planted()
    PLANTED["attribute_of_an_instance"][0](planted)
    graph = planted.graph()
    path = tmp_path / "shop.heapsnapshot"
    with path.open("w", encoding="utf-8") as file:
        write_heapsnapshot(graph, file)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    try:
        opened(page, path)
        quotes = row(page, "shop.leaks.Quote")
        expect(quotes).to_contain_text(re.compile(rf"Quote.{COUNT}"))
        assert bytes_of(quotes) == pytest.approx(COUNT * EACH, rel=0.05)
        page.locator("select").first.select_option(label="Containment")
        module = row(page, "dict of module shop.leaks")
        expect(module).to_be_visible()
        tree = dominator_tree(graph)
        (node,) = (node for node, root in graph.roots.items() if root.name == "shop.leaks")
        assert bytes_of(module) == pytest.approx(tree.retained[node], rel=0.05)
    finally:
        page.close()
