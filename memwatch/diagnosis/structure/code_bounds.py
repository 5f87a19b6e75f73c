"""Does the code that adds to a container keep it below a length? Read from its source: nothing is run.

``if len(pages) > 4000: pages.popitem()`` in each function that adds to ``pages`` is a bound, as clear as a ``maxsize``.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from memwatch.diagnosis import own_code
from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.results import Bound
from memwatch.diagnosis.source_lines import Sources
from memwatch.diagnosis.structure.bounds import LIE, MOST

_REMOVING = frozenset({"clear", "discard", "pop", "popitem", "popleft", "remove"})
_MOST_LINES = 2_000
"""Of a function."""


def bound_of(place: Mapping[str, Any], entries: int, sources: Sources) -> Bound | None:
    """Of the container that is at this place in code; ``None`` unless each function there that adds to it checks.

    ``place``: as :class:`memwatch.diagnosis.own_code.Place` has it.
    """
    file, name, module = str(place["file"]), str(place["name"]), str(place["module"])
    limits = []
    for first, last in place["functions"]:
        lines = sources.lines(file, int(first), min(int(last), int(first) + _MOST_LINES))
        if name and any(own_code.adds(name, line) for line in lines):
            limits.append(_limit(lines, name, module))
    known = [limit for limit in limits if limit is not None]
    if not known or len(known) < len(limits) or entries > LIE * max(known):
        return None
    limit = min(max(known), MOST)
    return Bound(limit=limit, entries=entries, by=f"the code compares its length with {limit:,}", enforced=True)


def _limit(lines: list[str], name: str, module: str) -> int | None:
    """The greatest length that a function lets the container have; ``None`` where it does not check."""
    try:
        function = ast.parse(textwrap.dedent("\n".join(lines)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = [
        number
        for node in ast.walk(function)
        if isinstance(node, ast.If | ast.While) and any(_removes(each, name) for each in _within(node))
        for number in [_number(_compared(node.test, name), module)]
        if number is not None
    ]
    return max(found, default=None)


def _within(node: ast.If | ast.While) -> Iterator[ast.AST]:
    for statement in node.body:
        yield from ast.walk(statement)


def _compared(test: ast.expr, name: str) -> ast.expr | None:
    """What ``len(name)`` must not be greater than."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, operator, right = test.left, test.ops[0], test.comparators[0]
    if isinstance(operator, ast.Gt | ast.GtE) and _is_length(left, name):
        return right
    return left if isinstance(operator, ast.Lt | ast.LtE) and _is_length(right, name) else None


def _is_length(node: ast.expr, name: str) -> bool:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"
    return is_call and len(node.args) == 1 and _is_named(node.args[0], name)  # type: ignore[attr-defined]


def _is_named(node: ast.expr, name: str) -> bool:
    return (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.Attribute) and node.attr == name)


def _removes(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _REMOVING and _is_named(node.func.value, name)
    return isinstance(node, ast.Delete) and any(
        isinstance(each, ast.Subscript) and _is_named(each.value, name) for each in node.targets
    )


def _number(node: ast.expr | None, module: str) -> int | None:
    """A whole number above 0 that is written there, or that a name of the module has."""
    value: Any = None
    if isinstance(node, ast.Constant):
        value = node.value
    elif isinstance(node, ast.Name) and type(of := sys.modules.get(module)) is ModuleType:
        value = introspection.module_dict_of(of).get(node.id)
    return value if type(value) is int and value > 0 else None
