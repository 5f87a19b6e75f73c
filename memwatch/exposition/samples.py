"""Metric families in the making, and the samples that go into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.samples import Sample


class Families:
    """Metric families in the order of their making."""

    def __init__(self, namespace: str) -> None:
        self._prefix = f"{namespace}_memory_"
        self.made: list[Metric] = []

    def reference(self, name: str, text: str) -> Metric:
        return self._make(self._prefix + name, text)

    def own(self, name: str, text: str) -> Metric:
        return self._make(f"memwatch_{name}", text)

    def _make(self, name: str, text: str) -> Metric:
        kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        family: Metric = kind(name, text, labels=())
        self.made.append(family)
        return family


Labelled = tuple[Mapping[str, str], float | None]


def add(family: Metric, labels: Mapping[str, str], value: float | None) -> None:
    if value is not None:
        family.samples.append(Sample(_sample_name(family), labels, value))  # type: ignore[arg-type]  # it reads them only


def add_all(family: Metric, values: Iterable[Labelled], factor: float = 1) -> None:
    name = _sample_name(family)
    family.samples += [
        Sample(name, labels, value * factor)  # type: ignore[arg-type]  # it reads them only
        for labels, value in values
        if value is not None
    ]


def _sample_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name
