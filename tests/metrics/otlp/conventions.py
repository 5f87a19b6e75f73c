"""OpenTelemetry's semantic conventions, from their own package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from opentelemetry.semconv._incubating import attributes, metrics

KINDS = {
    "create_counter": "counter",
    "create_up_down_counter": "updowncounter",
    "create_observable_gauge": "gauge",
    "create_gauge": "gauge",
    "create_histogram": "histogram",
}


class Convention(NamedTuple):
    kind: str
    unit: str


class _Meter:
    """Notes what is asked for."""

    def __init__(self) -> None:
        self.made: dict[str, Convention] = {}

    def __getattr__(self, method: str) -> Any:
        def create(*, name: str, unit: str, **_others: object) -> None:
            self.made[name] = Convention(KINDS.get(method, method), unit)

        return create


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for each in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{each.name}")


def metric_conventions() -> dict[str, Convention]:
    """Instrument and unit of each metric that an SDK can make and that is not deprecated."""
    meter: Any = _Meter()
    for module in _modules(metrics):
        for name, create in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("create_") and not (create.__doc__ or "").startswith("Deprecated"):
                create(meter, *[None] * (len(inspect.signature(create).parameters) - 1))
    found: dict[str, Convention] = meter.made
    return found


_ATTRIBUTE = re.compile(
    r'^[A-Z0-9_]+: Final = (?:\(\s*)?"([^"]+)"(?:\s*\))?\n(?:"""(.*?)""")?', re.MULTILINE | re.DOTALL
)
"""As the package's modules are generated: a constant, and what there is to say of it."""


def attribute_names() -> set[str]:
    """The names of all attributes that are not deprecated."""
    found = {
        name: said for module in _modules(attributes) for name, said in _ATTRIBUTE.findall(inspect.getsource(module))
    }
    assert len(found) > 500, "the package's modules have another form now"
    return {name for name, said in found.items() if "Deprecated: " not in said}


def values_of(attribute: str) -> set[str]:
    """What an attribute with a fixed list of values may be; empty for one without."""
    module = importlib.import_module(f"{attributes.__name__}.{attribute.partition('.')[0]}_attributes")
    wanted = re.sub("[._]", "", attribute) + "values"
    (found, *_others) = [each for name, each in vars(module).items() if name.lower() == wanted] or [()]
    return {each.value for each in found}
