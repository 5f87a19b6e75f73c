"""The text of malloc_info, read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwatch.diagnosis.trim import arenas

MB = 2**20
TEXT = b"""<malloc version="1">
<heap nr="0">
<sizes>
  <size from="33" to="33" total="330" count="10"/>
  <size from="5793" to="6081" total="10485760" count="1800"/>
  <size from="200001" to="400001" total="20971520" count="70"/>
  <unsorted from="1000" to="90000" total="1048576" count="20"/>
</sizes>
<total type="fast" count="10" size="330"/>
<total type="rest" count="1891" size="34603008"/>
<system type="current" size="104857600"/>
<system type="max" size="104857600"/>
<aspace type="total" size="104857600"/>
</heap>
<heap nr="1">
<sizes>
</sizes>
<total type="fast" count="0" size="0"/>
<total type="rest" count="1" size="131072"/>
<system type="current" size="135168"/>
</heap>
<total type="fast" count="10" size="330"/>
<total type="rest" count="1892" size="34734080"/>
<total type="mmap" count="2" size="3145728"/>
<system type="current" size="104992768"/>
</malloc>
"""


def test_each_arena_has_its_free_pieces_whole_pages_and_end() -> None:
    found = arenas.parse(TEXT)
    assert found is not None
    main, other = found.arenas
    assert (main.number, main.system_mb, main.pieces) == (0, 100.0, 1900)
    assert main.free_mb == pytest.approx(33, abs=0.01)
    assert main.large_mb == 20
    assert main.top_mb == pytest.approx(2, rel=0.01), "10 + 20 + 1 of 33 are listed"
    assert main.pages_mb == pytest.approx(
        (10485760 - 1800 * 4096) / MB + 20 - 70 * 4096 / MB + 1 - 20 * 4096 / MB + main.top_mb, rel=0.001
    )
    assert (other.number, other.top_mb, other.pages_mb) == (1, 0.125, 0.0), "malloc_trim leaves the end of this one"
    assert found.mapped_mb == 3
    assert found.free_mb == pytest.approx(33.125, abs=0.01)
    assert found.system_mb == pytest.approx(103.13, abs=0.01)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: b'<heap nr="1">' + text.encode() + b"</heap>"))
def test_any_other_text_raises_nothing(text: bytes) -> None:
    found = arenas.parse(text)
    assert found is None or found.system_mb >= 0


def test_the_largest_arenas_are_kept() -> None:
    text = b"".join(
        b'<heap nr="%d"><system type="current" size="%d"/></heap>' % (number, number * MB) for number in range(100)
    )
    found = arenas.parse(text)
    assert found is not None
    kept = arenas.largest(found.arenas)
    assert [kept[0].number, kept[-1].number, len(kept)] == [99, 36, 64]
