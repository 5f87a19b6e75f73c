"""The file of a heap dump: what is written is read again, and nothing else is read."""

from __future__ import annotations

import io
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwatch.heapdump import reader
from memwatch.heapdump.format import FRAME, MAGIC, NONE, Edge, Family, Flag, HeapDumpError, Root, Section
from memwatch.heapdump.writer import Packer, Rows


def small_dump(objects: int = 3) -> bytes:
    """A list of texts, one of which is named."""
    file = io.BytesIO()
    rows = Rows(Packer(file.write))
    rows.header(pid=7, python="3.11.7")
    of_list = rows.type("list", "builtins", 0x1000, Family.LIST, 0)
    of_text = rows.type("str", "builtins", 0x2000, Family.STR, 0)
    rows.objects.add(0x9000, of_list, 88, Flag.TRACKED | Flag.EXACT, objects, 0, 1, objects)
    for number in range(objects):
        rows.objects.add(0xA000000 - 64 * number, of_text, 50, Flag.EXACT, 1, 77, NONE, 0)
        rows.edges.add(0xA000000 - 64 * number, Edge.INDEX, NONE)
    rows.root(0x9000, Root.FRAME, "f", place="a.py", line=3, thread="Ünnamed\ud800")
    rows.name(0x9000, "kept", place="b.py", line=9)
    rows.end(complete=True, seconds=0.5)
    return file.getvalue()


def parts_of(data: bytes) -> list[reader.Part]:
    """All parts of a dump."""
    return list(reader.read(io.BytesIO(data)))


def test_what_is_written_is_read() -> None:
    parts = parts_of(small_dump())
    objects = next(part for part in parts if isinstance(part, reader.Objects))
    edges = next(part for part in parts if isinstance(part, reader.Edges))
    roots = next(part for part in parts if isinstance(part, reader.Roots))
    strings = [text for part in parts if isinstance(part, reader.Strings) for text in part.texts]
    assert objects.addresses.tolist() == [0x9000, 0xA000000, 0xA000000 - 64, 0xA000000 - 128]
    assert objects.sizes.tolist() == [88, 50, 50, 50]
    assert objects.edges.tolist() == [3, 0, 0, 0]
    assert edges.targets.tolist() == objects.addresses.tolist()[1:]
    assert set(edges.kinds) == {Edge.INDEX}
    assert strings[roots.threads[0]] == "Ünnamed\\ud800"
    names = next(part for part in parts if isinstance(part, reader.Names))
    assert [strings[names.names[0]], strings[names.places[0]], names.lines[0]] == ["kept", "b.py", 9]
    assert roots.lines.tolist() == [3]
    assert isinstance(parts[0], reader.Header)
    assert parts[0].fields["pid"] == 7
    assert isinstance(parts[-1], reader.End)
    assert parts[-1].counts == {"strings": 8, "types": 2, "objects": 4, "edges": 3, "names": 1, "roots": 1}


def test_many_rows_fill_several_sections() -> None:
    parts = parts_of(small_dump(200_000))
    sections = [part for part in parts if isinstance(part, reader.Objects)]
    assert len(sections) == 4
    addresses = [address for part in sections for address in part.addresses]
    assert addresses[1:] == [0xA000000 - 64 * number for number in range(200_000)]


@given(st.data())
def test_a_changed_byte_is_one_error_or_none(data: st.DataObject) -> None:
    whole = bytearray(small_dump())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    try:
        parts = parts_of(bytes(whole))
    except HeapDumpError:
        return
    assert parts == parts_of(small_dump())  # a bit of zlib's header that means nothing here


@given(st.integers(0, len(small_dump()) - 1))
def test_a_file_that_is_cut_off_is_an_error(length: int) -> None:
    with pytest.raises(HeapDumpError):
        parts_of(small_dump()[:length])


@given(st.binary(max_size=300))
def test_any_content_of_a_section_is_one_error(content: bytes) -> None:
    head = small_dump()[: len(MAGIC) + FRAME.size + FRAME.unpack_from(small_dump(), len(MAGIC))[1]]
    for section in Section:
        small = zlib.compress(content)
        frame = FRAME.pack(section.value, len(small), len(content), zlib.crc32(content))
        with pytest.raises(HeapDumpError):
            parts_of(head + frame + small)


def test_a_section_that_unpacks_to_more_than_it_says_takes_no_memory() -> None:
    bomb = zlib.compress(bytes(64 * 1024 * 1024))
    frame = FRAME.pack(Section.HEADER.value, len(bomb), 100, 0)
    with pytest.raises(HeapDumpError, match="header: its length"):
        parts_of(MAGIC + frame + bomb)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "\ud800", ["\udfff"], {"\ud800": 1}])
def test_a_header_that_is_no_json_for_others_is_refused(value: Any) -> None:
    file = io.BytesIO()
    rows = Rows(Packer(file.write))
    rows.header(service=value)
    rows.end(complete=True, seconds=0.5)
    with pytest.raises(HeapDumpError, match="header: it is not a JSON object"):
        parts_of(file.getvalue())


@pytest.mark.parametrize("seconds", ["1e400", "1" + "0" * 400, "NaN"])
def test_an_end_without_a_time_is_refused(seconds: str) -> None:
    file = io.BytesIO()
    packer = Packer(file.write)
    packer(Section.HEADER, b'{"format": 1}')
    names = ("strings", "types", "objects", "edges", "names", "roots")
    counts = "".join(f'"{name}": 0, ' for name in names)
    fields = f'{{{counts}"complete": true, "seconds": {seconds}}}'
    packer(Section.END, fields.encode())
    with pytest.raises(HeapDumpError, match="end: it is not a JSON object"):
        parts_of(file.getvalue())
