"""Where reading a heap begins: modules, the frames of threads, the interpreter's own dicts, static classes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType, ModuleType

from memwatch.diagnosis import frames
from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.heap_dump import destructors
from memwatch.heapdump.format import Root, TypeFlag
from memwatch.heapdump.writer import Rows
from memwatch.sampling.type_names import clean, type_name

MOST_FRAMES = 20_000
_HEAP_TYPE = TypeFlag.HEAP << 9
_flags_of = type.__dict__["__flags__"].__get__


def running_frames() -> Iterator[tuple[FrameType, str]]:
    """The frames of all threads, with the name of the thread; ours left out."""
    names = frames.thread_names()
    number = 0
    for ident, top in sys._current_frames().items():
        frame: FrameType | None = top
        while frame is not None and number < MOST_FRAMES:
            number += 1
            if not frames.is_own(frame):
                yield frame, names.get(ident, f"thread {ident}")
            frame = frame.f_back


def write(rows: Rows, running: list[tuple[FrameType, str]]) -> None:
    """Add the roots. Their objects are written by the walk."""
    for name, module in list(sys.modules.items()):
        if type(name) is str and any(base is ModuleType for base in introspection.mro_of(type(module))):
            namespace = introspection.module_dict_of(module)
            file = introspection.entry(namespace, "__file__") if type(namespace) is dict else None
            rows.root(id(namespace), Root.MODULE, clean(name), place=clean(file) if type(file) is str else "")
    rows.root(id(sys.modules), Root.INTERPRETER, "sys.modules")
    for frame, thread in running:
        code = frame.f_code
        rows.root(
            id(frame),
            Root.FRAME,
            clean(code.co_qualname),
            place=clean(code.co_filename),
            line=max(0, frame.f_lineno or 0),
            thread=clean(thread),
        )
    for of in destructors.classes():
        if not _flags_of(of) & _HEAP_TYPE:  # made by C code, for the life of the process
            rows.root(id(of), Root.CLASS, type_name(of))
