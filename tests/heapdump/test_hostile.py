"""A dump is input: whatever a valid file says, the analysis ends with a result or with one kind of error."""

from __future__ import annotations

import io
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memwatch.heapdump.analysis.difference import difference
from memwatch.heapdump.analysis.heap import Heap
from memwatch.heapdump.analysis.loading import load_file
from memwatch.heapdump.analysis.result import analysis_of
from memwatch.heapdump.export.heapsnapshot import write_heapsnapshot
from memwatch.heapdump.export.tables import write_csv, write_json_lines
from memwatch.heapdump.format import NONE, Edge, Family, HeapDumpError, Root
from memwatch.heapdump.report import html, text
from memwatch.heapdump.writer import Packer, Rows

TEXTS = ("", "a", "shop.leaks", "builtins", "<script>", "__proto__", "x\x00\n", "ü" * 300, "=1+1", "__dict__")
texts = st.sampled_from(TEXTS)
addresses = st.integers(0, 12) | st.sampled_from([2**63 - 1, 2**48])
numbers = st.sampled_from([0, 1, 2, 1000, 2**31, NONE - 1, NONE])
types = st.tuples(texts, texts, addresses, st.sampled_from(Family), st.integers(0, 255))
edges = st.tuples(addresses, st.sampled_from(Edge), st.none() | texts)
objects = st.tuples(
    addresses,
    st.integers(0, 2),
    st.integers(0, 1 << 20) | st.just((1 << 48) - 1),
    st.integers(0, 255),
    numbers,
    st.sampled_from([0, 1, 2**64 - 1]),
    numbers,
    st.lists(edges, max_size=5),
)
names = st.tuples(addresses, texts, texts, numbers)
roots = st.tuples(addresses, st.sampled_from(Root), texts, texts, numbers, texts)
about = st.dictionaries(
    st.sampled_from(["pid", "host", "service", "program", "python", "at", "package", "note"]),
    st.none() | st.integers() | st.floats(allow_nan=False) | texts | st.lists(texts, max_size=2),
)


@st.composite
def dumps(draw):
    file = io.BytesIO()
    rows = Rows(Packer(file.write))
    rows.header(**draw(about))
    for name, module, address, family, flags in draw(st.lists(types, min_size=3, max_size=3)):
        rows.type(name, module, address, family, flags)
    for address, type_, size, flags, length, hash_, references, refers in draw(st.lists(objects, max_size=14)):
        rows.objects.add(address, type_, size, flags, length, hash_, references, len(refers))
        for target, kind, name in refers:
            rows.edges.add(target, kind, NONE if name is None else rows.string(name))
    for address, name, place, line in draw(st.lists(names, max_size=4)):
        rows.name(address, name, place=place, line=line)
    for address, kind, name, place, line, thread in draw(st.lists(roots, max_size=4)):
        rows.root(address, kind, name, place=place, line=line, thread=thread)
    rows.end(complete=draw(st.booleans()), seconds=0.0)
    return file.getvalue()


def opened(content):
    try:
        return Heap(load_file(io.BytesIO(content)))
    except HeapDumpError:
        return None


@given(dumps())
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
def test_every_valid_file_has_an_analysis_a_report_and_every_form(content):
    heap = opened(content)
    if heap is None:
        return
    result = analysis_of(heap)
    assert json.loads(json.dumps(result)) == result
    assert text.report(result)
    assert "<script" not in html.report(result)
    for write in (write_csv, write_json_lines):
        write(heap, io.StringIO())
    snapshot = io.StringIO()
    write_heapsnapshot(heap.graph, snapshot)
    assert json.loads(snapshot.getvalue())["snapshot"]["node_count"] >= 1


@given(dumps(), dumps())
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_every_two_files_have_a_difference(first, second):
    before, after = opened(first), opened(second)
    if before is not None and after is not None:
        found = difference(before, after)
        assert json.loads(json.dumps(found)) == found
        assert text.difference(found)
