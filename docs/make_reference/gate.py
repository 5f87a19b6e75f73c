"""The options of the plug-in for pytest, from where it declares them."""

from __future__ import annotations

from docs.make_reference.tables import code, table
from memwatch.pytest_plugin import OPTIONS


def options() -> str:
    """A row for each."""
    rows = []
    for name, settings in OPTIONS:
        choices = settings.get("choices")
        value = "{" + ",".join(choices) + "}" if isinstance(choices, tuple) else str(settings.get("metavar", ""))
        rows.append((code(f"{name} {value}".strip()), str(settings["help"])))
    return table(("option", ""), rows)
