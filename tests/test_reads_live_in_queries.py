"""The faces (admin, API, terminal) read tables of their own page only; all other reads live in memwatch.queries."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import QuerySet

import memwatch

PACKAGE = Path(memwatch.__file__).parent
MANAGERS = {"objects", "_default_manager", "_base_manager"}
RELATED = {
    name
    for model in apps.get_app_config("memwatch").get_models()
    for relation in model._meta.related_objects
    if (name := relation.get_accessor_name()) is not None
}
"""``leak.events`` and the like."""
QUERIES = {name for name in dir(QuerySet) if not name.startswith("_")} | {"active", "alive", "raised", "unresolved"}


def _reads(node: ast.AST) -> Iterator[ast.Attribute]:
    """Uses of a manager, except for ``queryset = …`` of a class or a field, and inside ``get_queryset``.

    ``row.events.all()`` is one as well: what a row is related to.
    """
    if isinstance(node, ast.FunctionDef) and node.name == "get_queryset":
        return
    if isinstance(node, ast.Assign) and [getattr(each, "id", "") for each in node.targets] == ["queryset"]:
        return
    if isinstance(node, ast.keyword) and node.arg == "queryset":
        return
    if isinstance(node, ast.Attribute) and node.attr in MANAGERS and _is_model(node.value):
        yield node
    if isinstance(node, ast.Attribute) and node.attr in QUERIES and getattr(node.value, "attr", "") in RELATED:
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _reads(child)


def _is_model(owner: ast.expr) -> bool:
    """Not a row or a figure with a field named ``objects``."""
    return not isinstance(owner, ast.Name) or owner.id[0].isupper() or owner.id == "model"


def test_a_read_is_found_and_a_queryset_is_not() -> None:
    text = "class A:\n queryset = B.objects.all()\n def get_queryset(self): return B.objects.all()\n"
    assert not list(_reads(ast.parse(text)))
    assert [each.lineno for each in _reads(ast.parse(text + " def page(self): return B.objects.get(pk=1)\n"))] == [4]
    assert [each.lineno for each in _reads(ast.parse("def page(row):\n return row.events.order_by('at')\n"))] == [2]


@pytest.mark.parametrize("face", ["admin", "api", "terminal"])
def test_face_reads_through_queries(face: str) -> None:
    files = sorted((PACKAGE / face).rglob("*.py"))
    assert files
    found = [
        f"{file.relative_to(PACKAGE)}:{each.lineno}" for file in files for each in _reads(ast.parse(file.read_text()))
    ]
    assert found == []
