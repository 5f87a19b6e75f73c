"""A plug-in in WebAssembly, one instance for each job, all in one store that lives as long as the process.

Reported as bytecodealliance/wasmtime#1913: no instance is freed before its store.

Holder: ``_store``, a ``wasmtime.Store``: an arena of native memory.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="instances of a WebAssembly module in one store",
    leaks="native",
    requires=("wasmtime==24.0.0",),
    source="https://github.com/bytecodealliance/wasmtime/issues/1913",
)
_traffic = Traffic(202)
_store: Any = None
_module: Any = None
_new: Any = None

TEXT = """
(module
  (table 120 funcref)
  (func (export "tax") (param i32) (result i32) local.get 0 i32.const 19 i32.mul))
"""


def setup() -> None:
    global _store, _module, _new
    import wasmtime

    _store, _new = wasmtime.Store(), wasmtime.Instance
    _module = wasmtime.Module(_store.engine, TEXT)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        tax = _new(_store, _module, []).exports(_store)["tax"]
        assert tax(_store, 3) == 57
