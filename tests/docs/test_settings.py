"""docs/settings.md names every setting there is, with its default."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import pytest

from memwatch.conf import Settings
from memwatch.metrics.server import DEFAULT_PORT
from tests.docs.examples import ROOT

PAGE = (ROOT / "docs" / "settings.md").read_text()
FIELDS = {field.name.upper(): field for field in dataclasses.fields(Settings)}
WORDS = {"on": True, "off": False}
_READ = re.compile(r"""(?:env\.\w+|environ\.(?:get|pop)|_port)\(\s*["']([A-Z_]+)["']""")


def rows_of(heading: str) -> Iterator[tuple[str, str]]:
    """Each name of the first table below the heading, with its default."""
    table = PAGE.partition(f"# {heading}\n")[2].partition("\n|")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        names, default, _rest = (cell.strip().replace("`", "") for cell in line.strip("|").split("|", 2))
        several = names.split(", ")
        yield from zip(several, default.split(", ") if len(several) > 1 else [default], strict=True)


def test_every_key_is_named_once() -> None:
    assert sorted(name for name, _default in rows_of("Settings")) == sorted(FIELDS)


@pytest.mark.parametrize(("key", "told"), list(rows_of("Settings")))
def test_the_default_told_is_the_default(key: str, told: str) -> None:
    default = FIELDS[key].default
    if not told:
        assert default in ("", None, ()) or key == "HOST"
    elif isinstance(default, str):
        assert told == default
    elif told in WORDS:
        assert default is WORDS[told]
    elif isinstance(default, tuple):
        assert told == ", ".join(default)
    else:
        assert float(told) == default


def test_every_variable_of_the_deployment_is_named_once() -> None:
    read = {name for path in (ROOT / "project").rglob("*.py") for name in _READ.findall(path.read_text())}
    told = [name for name, _default in rows_of("The environment of the deployment in `project/`")]
    assert sorted(told) == sorted(read - {"DJANGO_SETTINGS_MODULE", "PATH"})
    assert dict(rows_of("The environment of the deployment in `project/`"))["EXPORTER_PORT"] == str(DEFAULT_PORT)
