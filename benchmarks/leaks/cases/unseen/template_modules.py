"""Texts of rules, compiled to a module each, as a template engine does.

Reported as wbond/pybars3#73, and written after it: the module of each compiled text stays in ``sys.modules``.

Holder: ``sys.modules``, a dict by the module's name.
"""

import sys
from types import ModuleType

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="modules of compiled texts",
    leaks="objects",
    culprit=("*module", "*sys.modules*", "*.modules", "*function"),
    holder=("*sys.modules*", "*modules*"),
    source="https://github.com/wbond/pybars3/issues/73",
)
_traffic = Traffic(406)


class Compiler:
    """Makes a function of a text with fields in braces."""

    def __init__(self) -> None:
        self.compiled = 0

    def compile(self, text: str) -> ModuleType:
        """A module with a function ``render``."""
        self.compiled += 1
        name = f"rules_templates._text{self.compiled}"
        module = ModuleType(name)
        sys.modules[name] = module
        code = f"def render(context):\n    return {text!r}.format_map(context)\n"
        exec(compile(code, f"<{name}>", "exec", dont_inherit=True), module.__dict__)
        return module


_compiler = Compiler()


def setup() -> None:
    assert _compiler.compile("{name}").render({"name": "a"}) == "a"


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        module = _compiler.compile("Device {device} is {state}")
        assert module.render({"device": i, "state": "up"}).startswith("Device")
