"""Writes the made parts of the reference pages: ``make reference``. With ``--check``, says which are out of date."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import django
from django.apps import apps

DOCS = Path(__file__).parents[1]
_PART = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- /made -->)", re.DOTALL)


def parts() -> Mapping[str, Callable[[], str]]:
    """What makes each part. Django has to be set up."""
    from docs.make_reference import (  # noqa: PLC0415
        api,
        commands,
        figures,
        gate,
        known_leaks,
        metrics,
        models,
        settings,
        support,
    )

    return {
        "settings": settings.settings,
        "commands": commands.commands,
        "reference_metrics": metrics.reference_metrics,
        "own_metrics": metrics.own_metrics,
        "snapshot_figures": figures.snapshot_figures,
        "snapshot_attributes": figures.snapshot_attributes,
        "models": models.tables,
        "figure_columns": models.figure_columns,
        "api_routes": api.routes,
        "api_parameters": api.parameters,
        "api_values": api.values,
        "support": support.support,
        "gate_options": gate.options,
        "known_leaks": known_leaks.known_leaks,
    }


def made(page: str) -> str:
    """The page with its parts as they should be."""
    known = parts()
    return _PART.sub(lambda found: f"{found[1]}\n{known[found[2]]()}\n{found[3]}", page)


def pages() -> list[Path]:
    """Those with a made part."""
    return [path for path in sorted(DOCS.rglob("*.md")) if _PART.search(path.read_text())]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.make_reference", description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    if not apps.ready:
        django.setup()
    stale = [path for path in pages() if made(path.read_text()) != path.read_text()]
    for path in stale:
        if not check:
            path.write_text(made(path.read_text()))
        sys.stdout.write(f"{path.relative_to(DOCS.parent)}: {'out of date' if check else 'written'}\n")
    return bool(stale and check)


if __name__ == "__main__":
    raise SystemExit(main())
