"""How a figure of a snapshot is declared: once, as metadata on its field, from which everything else derives.

Columns, checks of what arrives, API, admin, metrics and reference pages read :data:`memwatch.records.FIGURES`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

_KEY = "memwatch"
_P = ParamSpec("_P")


class Unit(enum.Enum):
    """What a number counts in."""

    MB = "MB", 1024, 1024 * 1024
    PERCENT = "%", 1, 0.01
    MS = "ms", 1000, 0.001
    SECONDS = "s", 1_000_000, 1
    """Since the process started: they never fall."""
    COUNT = "count", 1, 1
    TOTAL = "total", 1, 1
    """A count since the process started: it never falls."""
    NONE = "", 1, 1
    """No number: a text, a mapping, a tuple."""

    def __init__(self, symbol: str, kept: int, base: float) -> None:
        self.symbol = symbol
        self.kept = kept
        """How many of the column's unit one is: columns hold whole numbers of KiB, microseconds or things."""
        self.base = base
        """How many of Prometheus' base unit one is: bytes, seconds, ratio."""
        self.whole = symbol in ("count", "total")


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """What there is to say of one attribute of a snapshot."""

    unit: Unit
    help_text: str
    """What it is, without a full stop: for the API and the reference pages."""
    _: dataclasses.KW_ONLY
    name: str = ""
    """The attribute; :func:`declared` sets it."""
    default: float | None = None
    """What stands where it was not measured: ``None``, or the 0 of what is switched off in most processes."""
    label: str = ""
    """What the admin calls it; empty where the admin does not list it."""
    hint: str = ""
    """A few words beside it in the admin."""
    column: str = ""
    """The column that keeps the number; empty where it follows from others or is no number."""
    small: bool = False
    """Whether that column has 32 bits."""
    compared: bool = True
    """Whether it says something to set it beside the same of another snapshot."""
    metric: str = ""
    """The metric's name after ``memwatch_``, in base units; empty for none."""
    metric_help: str = ""
    """Its HELP where that is not the help text."""
    reference_help: str = ""
    """HELP of the reference's gauge, which has the attribute's name; empty for none."""
    otel: str = ""
    """The name in OpenTelemetry's semantic conventions; empty where it follows from the metric's name."""
    otel_attributes: tuple[tuple[str, str], ...] = ()
    """What the conventions want to be said beside it."""
    otel_unit: str = ""
    """Their unit; empty where it follows from the metric's name."""
    otel_help: str = ""
    """What their metric is, where several figures share it."""


def _field(make: Callable[_P, Figure]) -> Callable[_P, Any]:
    def field(*arguments: _P.args, **named: _P.kwargs) -> Any:
        made = make(*arguments, **named)
        return dataclasses.field(default=made.default, metadata={_KEY: made})

    return field


figure = _field(Figure)
"""A field of a dataclass, with what :class:`Figure` says of it."""


def declared(cls: type) -> Mapping[str, Figure]:
    """The figures of a dataclass by name, in their order: the one in which they are shown everywhere."""
    return {
        field.name: dataclasses.replace(field.metadata[_KEY], name=field.name)
        for field in dataclasses.fields(cls)
        if _KEY in field.metadata
    }
