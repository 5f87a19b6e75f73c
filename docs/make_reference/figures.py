"""The figures of a snapshot, from what is declared of each."""

from __future__ import annotations

from docs.make_reference.metrics import REFERENCE
from docs.make_reference.tables import code, table
from memwatch.records import FIGURES
from memwatch.records.figure import Figure


def _metrics(figure: Figure) -> str:
    own = f"memwatch_{figure.metric}" if figure.metric else ""
    reference = f"{REFERENCE}{figure.name}" if figure.reference_help else ""
    return ", ".join(map(code, filter(None, (reference, own))))


def snapshot_figures() -> str:
    rows = [(code(figure.name), figure.unit.symbol, figure.help_text, _metrics(figure)) for figure in FIGURES.values()]
    return table(("figure", "unit", "what it is", "metrics"), rows)


def snapshot_attributes() -> str:
    return f"**`MemorySnapshot`**: {', '.join(map(code, ('timestamp', *FIGURES)))}.\n"
