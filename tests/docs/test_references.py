"""What a docstring refers to exists: a module that moved takes its mentions along."""

from __future__ import annotations

import builtins
import importlib.util
import re
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "memwatch"
REFERENCE = re.compile(r":(mod|class|func|meth):`([\w.]+)`")
TEXTS = {path: path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
EVERYTHING = "\n".join(TEXTS.values())
MODULES = frozenset(path.stem for path in TEXTS) | sys.stdlib_module_names


def exists(kind: str, name: str) -> bool:
    last = name.rpartition(".")[2]
    if kind == "mod":
        return importlib.util.find_spec(name) is not None if "." in name else last in MODULES
    if hasattr(builtins, last) or name.partition(".")[0] in sys.stdlib_module_names:
        return True
    return re.search(rf"\b(?:class|def|import|as) {last}\b|\bimport .*\b{last}\b", EVERYTHING) is not None


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_docstrings_refer_to_what_exists(path: Path) -> None:
    missing = {match[0] for match in REFERENCE.finditer(TEXTS[path]) if not exists(match[1], match[2])}
    assert missing == set()
