"""The keys of ``MEMWATCH``.

Names and defaults come from the fields of the settings, what they mean from the text below each, what they may be from
what is said to somebody who gives something else.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re

from docs.make_reference.tables import code, plain, table
from memwatch import conf
from memwatch.conf import Settings, problems

KEYS = {field.name: field.name.upper() for field in dataclasses.fields(Settings)}


def meanings() -> dict[str, str]:
    """The text below each field, by its name."""
    classes = [node for node in ast.parse(inspect.getsource(conf)).body if isinstance(node, ast.ClassDef)]
    (cls,) = [node for node in classes if node.name == Settings.__name__]
    found = {}
    for node, after in zip(cls.body, cls.body[1:], strict=False):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[node.target.id] = str(after.value.value)
    return found


def may_be(key: str) -> str:
    """In the words of the error: "a number from 0.2 to 86400, e.g. 60"."""
    (sentence,) = [text for name, text in problems({key: float("nan")}, {}) if name == key]
    return sentence.partition(": give ")[2] or sentence.partition(": ")[2]


def default(field: dataclasses.Field[object]) -> str:
    if field.default in (dataclasses.MISSING, None, ""):
        return ""
    if isinstance(field.default, bool):
        return "on" if field.default else "off"
    if isinstance(field.default, float):
        return f"{field.default:g}"
    if isinstance(field.default, tuple):
        return ", ".join(map(code, field.default))
    return code(field.default) if isinstance(field.default, str) else str(field.default)


def settings() -> str:
    said = meanings()
    rows = []
    for field in dataclasses.fields(Settings):
        key = KEYS[field.name]
        meaning = re.sub(r"`(\w+)`", lambda found: code(KEYS.get(found[1], found[1])), plain(said[field.name]))
        rows.append((code(key), default(field), f"{meaning} Give {may_be(key)}."))
    return table(("key", "default", "meaning"), rows)
