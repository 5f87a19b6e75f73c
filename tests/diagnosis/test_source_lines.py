"""Lines of source and their functions, read from files that may be anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memwatch.diagnosis.source_lines import Sources

CODE = '''\
import os

TOP = [1]


@decorated(
    "x"
)
class Cart:
    limit = [2]

    def add(self, item):
        text = """
at the margin
"""
        def inner():
            return [
                item,
            ]
        return inner

    async def load(self): return [3]


def alone():
\treturn [4]
'''


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("TOP = [1]", "<module>"),
        ("limit = [2]", "Cart"),
        ("item,", "Cart.add.<locals>.inner"),
        ("return inner", "Cart.add"),
        ("return [3]", "Cart.load"),
        ("return [4]", "alone"),
    ],
)
def test_a_line_belongs_to_the_innermost_function_around_it(text: str, function: str, tmp_path: Path) -> None:
    file = tmp_path / "cart.py"
    file.write_text(CODE)
    (line,) = [number for number, each in enumerate(CODE.splitlines(), 1) if text in each]
    sources = Sources()
    assert sources.function(str(file), line) == function
    assert text in sources.code(str(file), line)


def test_what_is_no_ordinary_python_file_has_no_lines(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.py"
    os.mkfifo(pipe)
    bad = tmp_path / "bad.py"
    bad.write_bytes(b"# coding: nonsense\n\xff\xfe")
    folder = tmp_path / "folder.py"
    folder.mkdir()
    huge = tmp_path / "huge.py"
    huge.write_bytes(b"x = 1\n" * 500_000)
    (tmp_path / "secret.txt").write_text("secret")
    places = [pipe, bad, folder, huge, tmp_path / "secret.txt", "/dev/zero", "<string>", "\0.py", tmp_path / "none.py"]
    sources = Sources()
    assert {(sources.code(str(place), 1), sources.function(str(place), 1)) for place in places} == {("", "")}


def test_lines_that_are_not_there_are_empty(tmp_path: Path) -> None:
    file = tmp_path / "short.py"
    file.write_text("x = 1\n")
    assert [Sources().code(str(file), line) for line in (-1, 0, 2, 10**9)] == [""] * 4
