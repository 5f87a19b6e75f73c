"""What a family of the exposition is called in OpenTelemetry, in which unit, as which instrument. No SDK.

Where the semantic conventions know a figure, it has their name: the figure's declaration says which. Every other name
follows from the one in the exposition, so that a collector that writes Prometheus' names makes the same ones of them.
"""

from __future__ import annotations

import dataclasses
import enum
import re

from prometheus_client.core import Metric

from memwatch.records import FIGURES, MB

CONVENTIONS = "1.44.0"
"""The version of the semantic conventions that the names follow."""
SCHEMA_URL = f"https://opentelemetry.io/schemas/{CONVENTIONS}"
UPTIME, UPTIME_HELP = "process.uptime", "The time that the process has been running."


class Kind(enum.Enum):
    """The instrument."""

    COUNTER = "counter"
    UP_DOWN = "updowncounter"
    """What processes have at one time and a sum over them makes sense of."""
    GAUGE = "gauge"


@dataclasses.dataclass(frozen=True, slots=True)
class Instrument:
    """One metric of OpenTelemetry. ``attributes`` stand beside those of each sample."""

    name: str
    unit: str
    kind: Kind
    description: str
    factor: float = 1
    """How many of the unit one of the exposition's is."""
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it counts whole things."""
        return self.unit != "s" and (self.kind is Kind.COUNTER or self.unit == "By" or self.unit.startswith("{"))


UPTIME_INSTRUMENT = Instrument(UPTIME, "s", Kind.GAUGE, UPTIME_HELP)

NOT_SENT = frozenset({"memwatch_process_info", "memwatch_exporter_source", "memwatch_process_start_time_seconds"})
"""Their labels are the resource's attributes; the start is that of the points, and ``process.uptime``."""
_UNITS = (
    ("_bytes_per_hour", "By/h", 1), ("_bytes", "By", 1), ("_mb", "By", MB), ("_seconds", "s", 1), ("_ratio", "1", 1),
    ("_percent", "1", 0.01),
)  # fmt: skip
"""How a name of the exposition ends, the unit that this means, and how many of it one is."""
_COLLECTIONS = FIGURES["gc_collections_gen0"]
_DECLARED = {each.metric.removesuffix("_total"): each for each in FIGURES.values() if each.metric}
_DECLARED["gc_collections"] = _COLLECTIONS
_FLAG = "1 if "
_THINGS = re.compile(r"(process)es(?=_|$)|([a-z]*[a-rt-z])s(?=_|$)|([a-z]+)_count$")


def instrument(family: Metric, prefix: str) -> Instrument | None:
    """That of a family; ``None`` where another family or the resource says the same.

    ``prefix`` is that of the reference's names.
    """
    if family.name in NOT_SENT:
        return None
    own = not family.name.startswith(prefix)
    name = family.name.removeprefix("memwatch_" if own else prefix)
    figure = _DECLARED.get(name) or FIGURES.get(name)
    one_generation = figure is not None and figure.otel == _COLLECTIONS.otel and name != "gc_collections"
    if one_generation or (not own and figure is not None and figure.metric):
        return None
    said = figure.otel if figure is not None else ""
    stem, unit, factor = _unit(name, family.documentation)
    if figure is not None:
        unit = figure.otel_unit or unit
    kind = Kind.COUNTER if family.type == "counter" else Kind.GAUGE
    if said.startswith("process.") and kind is Kind.GAUGE:
        kind = Kind.UP_DOWN
    return Instrument(
        name=said or f"memwatch.{stem}",
        unit=unit,
        kind=kind,
        description=(figure.otel_help if figure is not None else "") or family.documentation,
        factor=factor,
        attributes=figure.otel_attributes if figure is not None else (),
    )


def _unit(name: str, text: str) -> tuple[str, str, float]:
    for end, unit, factor in _UNITS:
        if name.endswith(end):
            return name.removesuffix(end), unit, factor
    things = None if text.startswith(_FLAG) else _THINGS.search(name)
    return name, f"{{{next(filter(None, things.groups()))}}}" if things else "", 1
