"""Generated dependencies, as an installer leaves them."""

from __future__ import annotations

import compileall
from pathlib import Path

MODULE = '''"""Module {number} of {name}."""

class Part{number}:
    """Does nothing."""

    def first(self, value):
        return value + {number}

    def second(self, value, *, more=None):
        return [value, more, "{name}-{number}"]

def make_{number}(count):
    return [Part{number}() for _ in range(count)]
'''
"""About 3 KB each in memory, as small modules are."""


def install(folder: Path, name: str, version: str, *, modules: int, data_mb: int = 0) -> None:
    """A distribution ``name`` that imports ``modules`` modules and loads ``data_mb`` of data."""
    package = folder / name
    package.mkdir(parents=True)
    for number in range(modules - 1):
        (package / f"part{number}.py").write_text(MODULE.format(number=number, name=name))
    lines = [f"from {name} import part{number}" for number in range(modules - 1)]
    lines.append(f"DATA = [bytes([number % 251]) * 1024 for number in range({data_mb * 1024})]")
    (package / "__init__.py").write_text("\n".join(lines) + "\n")
    record = "".join(f"{path.relative_to(folder)},,\n" for path in sorted(package.glob("*.py")))
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "RECORD").write_text(record)
    compileall.compile_dir(str(package), quiet=2)
