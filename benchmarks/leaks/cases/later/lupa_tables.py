"""Answers of Lua scripts that know the Python dict they are in: a cycle through both languages.

Reported as scoder/lupa#152: neither collector sees the other's half.

Holder: Lua's registry: each dict holds a Lua table, and the table holds the dict.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="cycles of dicts and Lua tables",
    leaks="objects",
    culprit=("dict", "lupa.*", "*._LuaTable"),
    requires=("lupa==2.2",),
    source="https://github.com/scoder/lupa/issues/152",
)
_traffic = Traffic(203)
_lua: Any = None


def setup() -> None:
    global _lua
    import lupa

    _lua = lupa.LuaRuntime()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 25 == 0:
        table = _lua.table(number=i)
        table["request"] = {"answer": table, "path": f"/scripts/{i}"}
    if i % 2000 == 0:
        _lua.execute("collectgarbage()")
