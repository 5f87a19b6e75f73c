"""``_tracemalloc`` and psutil, or stand-ins in an interpreter that refuses both.

That is one with a lock of its own beside others in the process (PEP 684), as
``concurrent.futures.InterpreterPoolExecutor`` makes it. Django imports its applications there too, so memwatch can be
imported. It watches nothing there: the main interpreter's agent reports for the process.
"""

from __future__ import annotations

from typing import Any, NoReturn

from memwatch.interpreters import is_main_interpreter

_REFUSED = "subinterpreter"
"""In the message of the ImportError."""


class _NoPsutil:
    Error = OSError

    @staticmethod
    def Process(*_pid: int) -> NoReturn:  # noqa: N802 - as psutil has it
        raise OSError("this interpreter cannot load psutil")


class _NoTracemalloc:
    @staticmethod
    def get_traced_memory() -> tuple[int, int]:
        return 0, 0


def psutil() -> Any:
    """psutil, which takes a megabyte: loaded where ``/proc`` does not say the same."""
    if ISOLATED:
        return _NoPsutil
    import psutil  # noqa: PLC0415 - see above

    return psutil


tracemalloc: Any
ISOLATED = False
"""Whether this is such an interpreter."""
try:
    import _tracemalloc as tracemalloc  # the interpreter's own part: tracemalloc is imported where somebody traces

    if not is_main_interpreter():
        import psutil as _  # noqa: F401 - whether it can be
except ImportError as error:
    if _REFUSED not in str(error):
        raise
    tracemalloc, ISOLATED = _NoTracemalloc, True
