"""The made parts of the reference pages are those of the code as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.make_reference.__main__ import made, pages, parts
from tests.docs.blocks import name_of


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_the_made_parts_of_a_page_are_up_to_date(page: Path) -> None:
    assert page.read_text() == made(page.read_text()), "run make reference, and commit the page"


def test_every_part_is_on_a_page() -> None:
    text = "".join(page.read_text() for page in pages())
    assert [name for name in parts() if f"<!-- made: {name} -->" not in text] == []
