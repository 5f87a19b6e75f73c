"""The series of the metrics, from an exposition in which everything is known."""

from __future__ import annotations

from prometheus_client.core import Metric

from docs.make_reference.tables import code, table
from memwatch.exposition import OtlpState, families, otlp, site_up
from tests.monitoring.files import whole_observation

REFERENCE = "fogcompute_memory_"


def _row(family: Metric) -> tuple[str, str, str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
    return code(name), ", ".join(map(code, labels)), family.documentation


def _table(kind: str, *, reference: bool) -> str:
    sending = OtlpState(signal="metrics", sent=0, dropped=0, failing=False)
    made = [*families(whole_observation()), *site_up(up=True), *otlp([sending])]
    chosen = [each for each in made if each.name.startswith(REFERENCE) is reference and each.type == kind]
    return table((kind, "labels", ""), map(_row, chosen))


def reference_metrics() -> str:
    return f"{_table('gauge', reference=True)}\n{_table('counter', reference=True)}"


def own_metrics() -> str:
    return f"{_table('gauge', reference=False)}\n{_table('counter', reference=False)}"
