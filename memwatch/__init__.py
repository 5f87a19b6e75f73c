"""Memory monitoring for every Python process of a Django and Celery deployment.

The names in ``__all__`` are the public API, beside ``memwatch.profiler``, ``memwatch.schedule`` and ``memwatch.urls``.
Each is loaded when it is first used, so that ``import memwatch`` costs nothing; they need psutil, not Django.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from memwatch.diagnosis.heap_dump.dump import dump_heap
    from memwatch.profiler import MemoryProfiler, get_memory_profiler
    from memwatch.records import DriftReport, Leak, MemoryMetrics, MemorySnapshot

__version__ = "0.1.0"
__all__ = [
    "DriftReport",
    "Leak",
    "MemoryMetrics",
    "MemoryProfiler",
    "MemorySnapshot",
    "__version__",
    "dump_heap",
    "get_memory_profiler",
]

if not TYPE_CHECKING:  # a type checker sees the imports above, and refuses any other name

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - on first use

        home = "memwatch.profiler" if name in ("MemoryProfiler", "get_memory_profiler") else "memwatch.records"
        if name == "dump_heap":
            home = "memwatch.diagnosis.heap_dump.dump"
        value = globals()[name] = getattr(import_module(home), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
