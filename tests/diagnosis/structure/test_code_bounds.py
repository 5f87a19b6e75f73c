"""Bounds that the code around a container states."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from textwrap import dedent

import pytest

from memwatch.diagnosis.source_lines import Sources
from memwatch.diagnosis.structure.code_bounds import bound_of


def limit_in(tmp_path: Path, code: str, *, entries: int = 100) -> int | None:
    """Of ``pages``, all functions of the code being those that name it."""
    file = tmp_path / "shop.py"
    file.write_text(dedent(code))
    starts = [number for number, line in enumerate(file.read_text().splitlines(), 1) if line.strip().startswith("def ")]
    ends = [*(start - 1 for start in starts[1:]), len(file.read_text().splitlines())]
    place = {
        "file": str(file),
        "name": "pages",
        "module": "shop_of_bounds",
        "functions": zip(starts, ends, strict=True),
    }
    bound = bound_of(place, entries, Sources())
    return None if bound is None else bound.limit


@pytest.mark.parametrize(
    ("condition", "removal"),
    [
        ("if len(pages) > 4000:", "pages.popitem(last=False)"),
        ("while len(self.pages) >= 4000:", "self.pages.pop(next(iter(self.pages)))"),
        ("if 4000 < len(pages):", "del pages[min(pages)]"),
        ("if len(pages) > MOST:", "pages.clear()"),
    ],
)
def test_a_length_above_which_the_same_function_removes_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, condition: str, removal: str
) -> None:
    shop = types.ModuleType("shop_of_bounds")
    shop.MOST = 4000  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop_of_bounds", shop)
    code = f"""
    def page(self, path):
        pages[path] = path
        {condition}
            {removal}

    def known(path):
        return path in pages
    """
    assert limit_in(tmp_path, code) == 4000
    assert limit_in(tmp_path, code, entries=5_000) is None


@pytest.mark.parametrize(
    "code",
    [
        """
        def page(path):
            pages[path] = path
            if len(pages) > 4000:
                warn("many pages")
        """,
        """
        def page(path):
            pages[path] = path
            if len(pages) > 4000:
                others.clear()
        """,
        """
        def page(path):
            pages[path] = path
            if len(pages) > limit_of(path):
                pages.clear()
        """,
        """
        def page(path):
            pages[path] = path
            if len(pages) > 4000:
                pages.clear()

        def again(path):
            pages[path] = path
        """,
        """
        def prune():
            if len(pages) > 4000:
                pages.clear()
        """,
    ],
)
def test_what_is_no_bound(tmp_path: Path, code: str) -> None:
    assert limit_in(tmp_path, code) is None
