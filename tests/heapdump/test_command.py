"""``memwatch heap report`` and ``diff``, as somebody types them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from memwatch.command_line import main
from memwatch.heapdump.format import Edge, Family
from tests.heapdump.planted import COUNT, PLANTED, Planted
from tests.profiles.reading import parsed, total
from tests.test_core_without_django import REFUSED


@pytest.fixture
def dump(tmp_path):
    planted = Planted()
    PLANTED["attribute_of_an_instance"][0](planted)
    return planted.write(tmp_path / "web.heap", pid=4711, host="node-2", service="web", python="3.13.0", at=1.7e9)


def test_the_text_says_what_keeps_the_memory(dump, capsys):
    assert main(["heap", "report", str(dump)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Heap of web (process 4711 on node-2)\n")
    assert f"- shop.leaks.AuditTrail.trail keeps {COUNT} shop.leaks.Quote objects" in text
    assert "module shop.leaks → dict of module shop.leaks" in text
    assert "attribute 'trail' → list" in text
    assert "2023-11-14 22:13:20 UTC" in text


def test_one_type_alone(dump, capsys):
    assert main(["heap", "report", str(dump), "--type", "shop.leaks.Quote"]) == 0
    assert capsys.readouterr().out.splitlines()[2] == f"{COUNT} objects, 3.9 KB; without them 5.9 KB are free"
    assert main(["heap", "report", str(dump), "--type", "shop.NoSuch"]) == 1
    assert "no object of the type 'shop.NoSuch'" in capsys.readouterr().err


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not [name for name, _value in attrs if name.startswith("on") or name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_one_well_formed_page_without_script_whatever_the_names_are(tmp_path):
    planted = Planted()
    hostile = "<script>alert(1)</script>"
    container = planted.add("list", family=Family.LIST)
    planted.refer(planted.own, container, Edge.GLOBAL, f"{hostile}\"'")
    for _ in range(9):
        planted.refer(container, planted.add(f"shop.{hostile}"), Edge.INDEX)
    dump = planted.write(tmp_path / "a.heap", service=hostile)
    output = tmp_path / "a.html"
    assert main(["heap", "report", str(dump), "--format", "html", "--output", str(output)]) == 0
    page = Reader()
    page.feed(output.read_text())
    assert page.open == []
    assert "script" not in page.tags
    assert hostile in "".join(page.text)


def test_json_is_the_whole_analysis(dump, capsys):
    assert main(["heap", "report", str(dump), "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["paths"]["shop.leaks.Quote"]["groups"][0]["holder"] == "shop.leaks.AuditTrail.trail"
    assert result["about"]["pid"] == 4711


def test_csv_has_a_row_for_each_type_and_no_formulas(tmp_path, capsys):
    planted = Planted()
    planted.refer(planted.own, planted.add("=cmd|' /C calc'!A0"), Edge.GLOBAL, "a")
    PLANTED["list_of_a_module"][0](planted)
    assert main(["heap", "report", str(planted.write(tmp_path / "a.heap")), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    (quote,) = (row for row in rows if row["type"] == "shop.leaks.Quote")
    assert (quote["module"], quote["objects"], quote["bytes"]) == ("shop.leaks", str(COUNT), str(COUNT * 100))
    assert not [row for row in rows if row["type"].startswith("=")]


def test_json_lines_have_a_line_for_each_object_and_root(dump, capsys):
    assert main(["heap", "report", str(dump), "--format", "jsonl"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    objects = [line for line in lines if line["kind"] == "object"]
    assert lines[0]["objects"] == len(objects)
    (trail,) = (line for line in objects if line["type"] == "shop.leaks.AuditTrail")
    assert trail["references"] == [[trail["id"] + 1, "dict", ""]]
    assert objects[trail["id"] + 1]["references"][0][1:] == ["attribute", "trail"]
    assert "module shop.leaks" in [line["name"] for line in lines if line["kind"] == "root"]


def test_heapsnapshot_is_written(dump, tmp_path):
    output = tmp_path / "a.heapsnapshot"
    assert main(["heap", "report", str(dump), "--format", "heapsnapshot", "--output", str(output)]) == 0
    assert json.loads(output.read_text())["snapshot"]["meta"]["node_fields"][0] == "type"


def test_diff_says_what_is_new(dump, tmp_path, capsys):
    planted = Planted()
    PLANTED["attribute_of_an_instance"][0](planted)
    PLANTED["set_of_a_module"][0](planted)
    after = planted.write(tmp_path / "after.heap", pid=4711, host="node-2", service="web")
    assert main(["heap", "diff", str(dump), str(after)]) == 0
    text = capsys.readouterr().out
    assert f"+{COUNT} objects of shop.leaks.Quote, +3.9 KB, +5.9 KB retained: shop.leaks.UNIQUE" in text
    assert main(["heap", "diff", str(dump), str(after), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["same_process"] is True


@pytest.mark.parametrize("content", [b"", b"memwatchheap01\r\n", b"x" * 1000])
def test_a_file_that_is_no_dump_is_one_sentence(content, tmp_path, capsys):
    path = tmp_path / "no.heap"
    path.write_bytes(content)
    assert main(["heap", "report", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"memwatch: {path}: ")
    assert error.count("\n") == 1


def test_a_file_that_is_missing_or_cannot_be_written_is_one_sentence(dump, tmp_path, capsys):
    assert main(["heap", "report", str(tmp_path / "missing.heap")]) == 1
    assert "missing.heap: No such file or directory" in capsys.readouterr().err
    assert main(["heap", "report", str(dump), "--output", str(tmp_path / "no" / "a.txt")]) == 1
    assert "a.txt: No such file or directory" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(dump):
    command = f"{sys.executable} -m memwatch heap report {dump} --format jsonl | head -c 10"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    assert len(done.stdout) == 10


def test_without_numpy_it_says_what_to_install(dump):
    program = (
        f"{REFUSED}\nfrom memwatch.command_line import main\nraise SystemExit(main(['heap', 'report', {str(dump)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr == 'memwatch: this command needs numpy: pip install "memwatch[heapdump]"\n'


def test_a_terminal_that_lacks_a_character_still_gets_the_report(dump):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "memwatch", "heap", "report", str(dump)]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"module shop.leaks \\u2192 dict of module shop.leaks" in done.stdout


def test_a_closed_output_is_a_sentence(dump, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)  # as Python begins where it is closed
    assert main(["heap", "report", str(dump)]) == 1
    assert "the output is closed: give --output FILE" in capsys.readouterr().err
    assert main(["heap", "report", str(dump), "--output", str(tmp_path / "a.txt")]) == 0


def test_a_report_does_not_replace_its_dump(dump, capsys):
    content = dump.read_bytes()
    for words in (["report", str(dump)], ["diff", str(dump), str(dump)]):
        assert main(["heap", *words, "--output", str(dump)]) == 1
        assert "is the heap dump itself: give another file" in capsys.readouterr().err
    assert dump.read_bytes() == content


@pytest.mark.parametrize("form", ["pprof", "speedscope", "collapsed"])
def test_a_profile_for_other_tools(dump, tmp_path, capsysbinary, form):
    output = tmp_path / "web.profile"
    assert main(["heap", "report", str(dump), "--format", form, "--output", str(output)]) == 0
    assert main(["heap", "report", str(dump), "--format", form]) == 0
    content = output.read_bytes()
    assert capsysbinary.readouterr().out == content
    if form == "collapsed":
        assert any(b"shop.leaks.AuditTrail.trail" in line and b";" in line for line in content.splitlines())
    if form == "pprof":
        assert parsed(content).time_nanos == 1_700_000_000 * 10**9
        assert total(content) > 0
