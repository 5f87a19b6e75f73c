"""Where reading a heap begins: modules, the frames of threads, the interpreter's own dicts, static classes."""

from __future__ import annotations

import sys
from types import FrameType

from memwatch.diagnosis.heap import introspection, references
from memwatch.diagnosis.heap_dump import destructors
from memwatch.diagnosis.heap_dump.kinds import family_of
from memwatch.heapdump.format import Family, Root, TypeFlag
from memwatch.heapdump.writer import Rows
from memwatch.sampling.type_names import clean, type_name

MOST_FRAMES = 20_000
_HEAP_TYPE = TypeFlag.HEAP << 9
_flags_of = type.__dict__["__flags__"].__get__


def write(rows: Rows, running: list[tuple[FrameType, str]]) -> None:
    """Add the roots. Their objects are written by the walk."""
    for name, module in list(sys.modules.items()):
        if type(name) is str and family_of(type(module)) is Family.MODULE:
            own = references.called(module, Family.MODULE)
            file = "" if own is None else own.file
            rows.root(id(introspection.module_dict_of(module)), Root.MODULE, clean(name), place=file)
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
