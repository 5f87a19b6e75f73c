"""What the documents name is there: files, modules and what is in them, settings, environment variables."""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from memwatch import tasks
from memwatch.conf import Settings
from memwatch.detection.rules.recycled_workers import POOL_RULES
from memwatch.detection.rules.registry import QUESTIONS, RULES
from memwatch.detection.severity import LEAK_BOUNDS
from memwatch.exposition import families
from memwatch.metrics.otlp.instruments import instrument
from tests.docs.blocks import PAGES, ROOT, name_of, spans_of
from tests.monitoring.files import whole_observation

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)

_PATH = re.compile(r"(?:memwatch|monitoring|tests|benchmarks|project|examples|docs|\.ci)/[\w./*-]*")
_MODULE = re.compile(r"memwatch(?:\.\w+)+")
_VARIABLE = re.compile(r"\bMEMWATCH_[A-Z]+(?:_[A-Z]+)*\b")

SETTINGS = {f"MEMWATCH_{field.name.upper()}" for field in dataclasses.fields(Settings)}
READERS = [
    *(ROOT / "project").rglob("*.py"),
    *(
        ROOT / name
        for name in (
            "docker-compose.yml",
            "Makefile",
            "Procfile",
            "tests/servers.py",
            "tests/metrics/otlp/test_collector.py",
            "tests/pytest_plugin/test_other_plugins.py",
            "memwatch/sampling/walk.py",
        )
    ),
]
MADE = ("docs/_build",)
"""Folders that are there once something was run."""


@each_page
def test_files_that_a_page_names_are_there(page: Path) -> None:
    paths = [span.partition("::")[0] for span in spans_of(page) if _PATH.fullmatch(span.partition("::")[0])]
    gone = [path for path in paths if not path.startswith(MADE) and not list(ROOT.glob(path.rstrip("/") or "."))]
    assert gone == []


OTLP_NAMES = {
    *(each.name for family in families(whole_observation()) if (each := instrument(family, "fogcompute_memory_"))),
    *(
        name
        for path in [
            *(ROOT / "memwatch/metrics/otlp").glob("*.py"),
            ROOT / "memwatch/queries/deployment/event_log.py",
            ROOT / "memwatch/agent/work/traces.py",
        ]
        for name in re.findall(r'"(memwatch\.[\w.]+)"', path.read_text())
    ),
}
"""Metrics, events and attributes that are sent to OpenTelemetry."""


def exists(dotted: str) -> bool:
    """Whether it is a module, something in one, the name of a task, the id of a system check, or a name in OTLP."""
    if dotted in OTLP_NAMES:
        return True
    parts = dotted.split(".")
    if re.fullmatch(r"[EWI]\d{3}", parts[-1]):
        return any(dotted in path.read_text() for path in (ROOT / "memwatch").rglob("*.py"))
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            if not hasattr(found, name):
                break
            found = getattr(found, name)
        else:
            return True
    return len(parts) == 2 and hasattr(tasks, parts[-1])


@each_page
def test_modules_and_what_is_in_them_are_there(page: Path) -> None:
    assert [name for name in spans_of(page) if _MODULE.fullmatch(name) and not exists(name)] == []


@each_page
def test_environment_variables_that_a_page_names_are_read_by_something(page: Path) -> None:
    read = {name for reader in READERS for name in _VARIABLE.findall(reader.read_text())}
    assert set(_VARIABLE.findall(page.read_text())) - read - SETTINGS == set()


@each_page
def test_commands_that_a_page_names_are_there(page: Path) -> None:
    spelt = {word for span in spans_of(page) for word in re.findall(r"manage\.py (\w+)", span)}
    assert spelt <= set(get_commands())


def test_the_tables_of_rules_are_those_of_the_registry_in_its_order() -> None:
    text = (ROOT / "docs" / "verdicts.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+?\?) \|", text, re.MULTILINE)
    pooled = [rule.asks for rule in POOL_RULES if rule.asks not in RULES]
    first = [rule.name for rule in [*RULES, *pooled]]
    others = [name for name in QUESTIONS if name not in first]
    assert rows == [(name, QUESTIONS[name]) for name in [*first, *others]]


def test_the_table_of_severities_is_that_of_the_program() -> None:
    """Its rows are ``LEAK_BOUNDS``, and the end of the last one is the rest."""
    section = (ROOT / "docs/verdicts.md").read_text().split("\n## Severity\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| (?:(\d+) hours|later) \| (?:(\d+) % or more|any share) \|$", section, re.MULTILINE)
    *told, rest = [(name, int(hours or 0) * 3600, int(share or 0) / 100) for name, hours, share in rows]
    assert told == [tuple(bound) for bound in LEAK_BOUNDS]
    assert rest[0] == "low"


SOURCES = [path for folder in ("memwatch", "monitoring", "project") for path in (ROOT / folder).rglob("*")]
SOURCES = [path for path in SOURCES if path.suffix in (".py", ".yml", ".html") and path.is_file()]


def test_pages_that_the_program_names_are_there() -> None:
    named = {page for path in SOURCES for page in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text())}
    assert len(named) > 10
    assert [page for page in sorted(named) if not (ROOT / page).is_file()] == []
