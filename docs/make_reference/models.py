"""The tables: fields with their help texts, what is unique, permissions."""

from __future__ import annotations

from django.apps import apps
from django.db import models
from django.db.models import Field, Model, Q, UniqueConstraint

from docs.make_reference.tables import code, plain, table
from memwatch.models import FiguresColumns, Overview
from memwatch.queries.series.snapshot_mapping import NUMBERS
from memwatch.records import FIGURES
from memwatch.records.figure import Unit

_KEPT_IN = {Unit.MB: ", in KiB", Unit.MS: ", in microseconds", Unit.SECONDS: ", in microseconds"}
_COLUMNS = {field.name for field in FiguresColumns._meta.local_fields}


def _type(field: Field[object, object]) -> str:
    if isinstance(field, models.ForeignKey):
        return f"to {field.related_model.__name__}"
    made = field.get_internal_type().removesuffix("Field")
    return f"{made}({field.max_length})" if field.max_length else made


def _said(field: Field[object, object]) -> str:
    parts = []
    words = str(field.verbose_name)
    if words != field.name.replace("_", " "):
        parts.append(words)
    if field.help_text:
        parts.append(str(field.help_text).rstrip("."))
    if field.choices:
        parts.append("one of " + ", ".join(code(value) for value, _label in field.flatchoices))
    return ". ".join(part[:1].upper() + part[1:] for part in parts)


def _rows(model: type[Model], *, without: set[str] = frozenset()) -> list[tuple[str, str, str, str]]:  # type: ignore[assignment]
    return [
        (code(field.name), _type(field), "yes" if field.null else "", _said(field))
        for field in model._meta.concrete_fields
        if field.name not in without and not isinstance(field, models.AutoField)
    ]


def _unique(model: type[Model]) -> str:
    found = [code(field.name) for field in model._meta.concrete_fields if field.unique and not field.primary_key]
    for each in model._meta.constraints:
        if isinstance(each, UniqueConstraint):
            where = f" where {_condition(each.condition)}" if each.condition is not None else ""
            found.append(", ".join(map(code, each.fields)) + where)
    return f"Unique: {'; '.join(dict.fromkeys(found))}.\n\n" if found else ""


def _condition(condition: Q) -> str:
    """Of equalities, as all are."""
    parts = []
    for name, value in condition.children:  # type: ignore[misc]
        column = str(name).removesuffix("__isnull")
        parts.append(f"`{column}` is {'null' if value is None or column != name else str(value).lower()}")
    return " and ".join(parts)


def _permissions(model: type[Model]) -> str:
    return "".join(f"Permission {code(name)}: {text}.\n\n" for name, text in model._meta.permissions)


def _model(model: type[Model]) -> str:
    has_figures = issubclass(model, FiguresColumns)
    made = f"### {model.__name__}\n\n{plain(model.__doc__).strip()}\n\n"
    if model._meta.proxy:
        rows_of = code((model._meta.concrete_model or model).__name__)
        return f"{made}It has no table of its own: its rows are those of {rows_of}.\n\n"
    rows = _rows(model, without=_COLUMNS if has_figures else set())
    made += table(("field", "type", "null", ""), rows) + "\n"
    if has_figures:
        made += "And the [columns of figures](#columns-of-figures).\n\n"
    return made + _unique(model) + _permissions(model)


def tables() -> str:
    chosen = [model for model in apps.get_app_config("memwatch").get_models() if model is not Overview]
    return "".join(map(_model, chosen)).rstrip("\n") + "\n"


def _figure(column: str) -> str:
    """What the column holds, as the figure is named elsewhere."""
    if column not in NUMBERS:
        return code(column) if column in FIGURES else ""
    figure = NUMBERS[column]
    return code(figure.name) + _KEPT_IN.get(figure.unit, "")


def figure_columns() -> str:
    rows = [
        (code(field.name), _type(field), ". ".join(filter(None, [_figure(field.name), _said(field)])))
        for field in FiguresColumns._meta.local_fields
    ]
    return table(("column", "type", "figure"), rows)
