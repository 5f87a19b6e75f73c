"""Admin themes that lack the stock admin's style: what memwatch's pages take from it, they bring along."""

from __future__ import annotations

import re
from pathlib import Path

import memwatch

STATIC = Path(memwatch.__file__).parent / "static" / "memwatch"


def _own(name: str) -> str:
    return (STATIC / name).read_text()


def test_every_variable_that_the_pages_use_has_a_value_without_the_stock_admin() -> None:
    styles = "".join(file.read_text() for file in STATIC.glob("*.css"))
    scripts = "".join(file.read_text() for file in STATIC.glob("*.js"))
    used = set(re.findall(r"var\((--[a-z0-9-]+)", styles)) | set(re.findall(r'"(--[a-z0-9-]+)"', scripts))
    assert {"--border-color", "--body-quiet-color"} <= used
    given = set(re.findall(r"^\s*(--[a-z0-9-]+):", _own("themes.css") + _own("admin.css"), re.MULTILINE))
    assert used - given == set()


def test_the_stock_admin_s_own_values_win() -> None:
    """What stands in a cascade layer gives way to what stands outside of one, as all of the stock admin's does."""
    assert '@import url("themes.css") layer(memwatch);' in _own("admin.css")


def test_colours_follow_themes_that_darken_by_a_class() -> None:
    for name in ("admin.css", "themes.css"):
        assert 'html:is(.dark, [data-theme="dark"], [data-bs-theme="dark"]) {' in _own(name)
    assert '["class", "data-theme", "data-bs-theme"]' in _own("charts.js")
