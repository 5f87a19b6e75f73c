"""The API's routes and what they take and answer with, from the OpenAPI schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import resolve

from docs.make_reference.tables import code, plain, table
from memwatch.api.schema import Generator

Schema = Mapping[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
_ALWAYS = ("cursor", "page_size")
"""Parameters of every list."""
_KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_FORMATS = {"date-time": "time", "uri": "URL", "binary": "file", "uuid": "UUID"}
_BASES = ("MemwatchFigures", "MemwatchLeak", "MemwatchRecording")
"""Values whose fields others have too."""
_CHOICES = re.compile(r"\n\n\* `.*", re.DOTALL)


def _schema() -> Schema:
    found: Schema = Generator(urlconf="memwatch.urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


def _routes(schema: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                yield method, path, methods[method]


def _permissions(method: str, path: str) -> str:
    """What the view asks for."""
    match = resolve(re.sub(r"\{(\w+)\}", lambda found: "web" if found[1] == "name" else "1", path), "memwatch.urls")
    view = match.func.cls  # type: ignore[attr-defined]
    wanted = [getattr(view, "view_permission", "")]
    wanted += view.action_permissions.get(match.func.actions[method], ()) if wanted[0] else ()  # type: ignore[attr-defined]
    return ", ".join(code(name.removeprefix("memwatch.")) for name in wanted if name)


def _name(schema: Schema, known: Schema) -> str:
    """Of what is meant: ``Leak``, ``list of Leak``, ``text``, the values where there are few."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _name(known[name], known) if "enum" in known[name] else name
    if "allOf" in schema or "oneOf" in schema:
        parts = [_name(part, known) for part in schema.get("allOf", schema.get("oneOf", ()))]
        return " or ".join(filter(None, parts))
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"] if value not in ("", None))
    if schema.get("type") == "array":
        return f"list of {_name(schema['items'], known)}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_name(schema['additionalProperties'], known)}"
    kind, form = str(schema.get("type", "anything")), str(schema.get("format", ""))
    return _FORMATS.get(form, _KINDS.get(kind, kind))


def _said(schema: Schema) -> str:
    said = _CHOICES.sub("", str(schema.get("description", "")))
    return plain(said.replace("Multiple values may be separated by commas.", "several by commas"))


def _body(operation: Schema, known: Schema) -> str:
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return next((_name(content["schema"], known) for content in contents), "")


def _answer(operation: Schema, known: Schema) -> str:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            names = {_name(each["schema"], known) for each in answer.get("content", {}).values() if "schema" in each}
            named = " or ".join(sorted(names))
            paged = re.fullmatch(r"Paginated(\w+)List", named)
            return f"{status} {f'page of {paged[1]}' if paged else named}".strip()
    return ""


def routes() -> str:
    rows = []
    schema = _schema()
    known = schema["components"]["schemas"]
    for method, path, operation in _routes(schema):
        does, takes, answers = operation["summary"], _body(operation, known), _answer(operation, known)
        rows.append((code(f"{method.upper()} {path}"), does, _permissions(method, path), takes, answers))
    return table(("route", "does", "permissions", "takes", "answers"), rows)


def parameters() -> str:
    """Those of the query of each route."""
    made = []
    schema = _schema()
    for method, path, operation in _routes(schema):
        chosen = [
            (code(each["name"]), _said(each), _name(each["schema"], schema["components"]["schemas"]))
            for each in operation.get("parameters", ())
            if each["in"] == "query" and each["name"] not in _ALWAYS
        ]
        if chosen:
            made.append(f"**`{method.upper()} {path}`**\n\n{table(('parameter', '', 'value'), chosen)}")
    return "\n".join(made)


def _same(base: Schema, found: Schema) -> bool:
    """Whether it has every field of the base, and more."""
    fields = found["properties"]
    return len(fields) > len(base["properties"]) and all(
        fields.get(name) == each for name, each in base["properties"].items()
    )


def values() -> str:
    """The fields of what is taken and answered, by name; those of a value that another one extends, once."""
    known = _schema()["components"]["schemas"]
    made = []
    for name, found in known.items():
        if "properties" not in found or name.startswith(("Paginated", "Patched")):
            continue
        base = next((each for each in _BASES if _same(known[each], found)), None)
        left_out = known[base]["properties"] if base else ()
        rows = [
            (code(field), _name(each, known) + (" or null" if each.get("nullable") else ""), _said(each))
            for field, each in found["properties"].items()
            if field not in left_out
        ]
        said = f"{_said(found)}\n\n" if _said(found) else ""
        said += f"It has the fields of [{base}](#{base.lower()}), and:\n\n" if base else ""
        made.append(f"### {name}\n\n{said}{table(('field', 'value', ''), rows)}")
    return "\n".join(made)
