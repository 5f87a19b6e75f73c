"""What code refers to: functions, frames, generators and coroutines, with the names of their variables."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from inspect import CO_OPTIMIZED
from types import AsyncGeneratorType, CellType, CodeType, CoroutineType, FrameType, FunctionType, GeneratorType
from typing import Any

from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.heap_dump import destructors
from memwatch.heapdump.format import NONE, Edge
from memwatch.heapdump.writer import Rows
from memwatch.sampling.type_names import clean

Link = tuple[Any, Edge, int]
"""A target, how it is referred to, and the number of its name."""
_CODE_PARTS = tuple(
    vars(CodeType)[name].__get__
    for name in ("co_consts", "co_names", "co_filename", "co_name", "co_qualname", "co_linetable", "co_exceptiontable")
)
_closure_of = FunctionType.__dict__["__closure__"].__get__
_frame_of = {
    GeneratorType: vars(GeneratorType)["gi_frame"].__get__,
    CoroutineType: vars(CoroutineType)["cr_frame"].__get__,
    AsyncGeneratorType: vars(AsyncGeneratorType)["ag_frame"].__get__,
}
_code_of_deferred = {
    GeneratorType: vars(GeneratorType)["gi_code"].__get__,
    CoroutineType: vars(CoroutineType)["cr_code"].__get__,
    AsyncGeneratorType: vars(AsyncGeneratorType)["ag_code"].__get__,
}
_content_of = CellType.__dict__["cell_contents"].__get__


class OfCode:
    """Each method gives what an object of one type refers to, and notes its name."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def named(self, text: object) -> int:
        """The number of a name; ``NONE`` for what is no text."""
        return self._rows.string(clean(text)) if type(text) is str else NONE

    def function(self, item: Any) -> list[Link]:
        """A function: its closure's cells by the names of the variables."""
        links: list[Link] = [(each, Edge.OTHER, NONE) for each in gc.get_referents(item)]
        code, closure = introspection.code_of(item), _closure_of(item)
        if type(closure) is tuple:
            names = code.co_freevars
            links += [(cell, Edge.CELL, self.named(name)) for cell, name in zip(closure, names, strict=False)]
        file = clean(code.co_filename)
        self._rows.name(id(item), introspection.function_name(item), place=file, line=code.co_firstlineno)
        return links

    def code(self, item: Any) -> list[Link]:
        """A code object."""
        self._rows.name(id(item), clean(item.co_qualname), place=clean(item.co_filename), line=item.co_firstlineno)
        return [(part(item), Edge.OTHER, NONE) for part in _CODE_PARTS]

    def frame(self, item: FrameType) -> list[Link]:
        """A frame: of a function that runs, its local variables."""
        found = gc.get_referents(item)
        is_function = item.f_code.co_flags & CO_OPTIMIZED and destructors.may_ask(item, found)
        return self._locals(found, item, Edge.LOCAL) if is_function else self._stack(found)

    def _stack(self, found: Iterable[Any]) -> list[Link]:
        return [(each, Edge.STACK, NONE) for each in found]

    def _locals(self, found: list[Any], frame: FrameType, kind: Edge) -> list[Link]:
        """Local variables by name; a frame that runs does not say what else it refers to."""
        named = {id(value): (value, name) for name, value in list(frame.f_locals.items())}
        links: list[Link] = []
        for each in found:
            _, name = named.pop(id(each), (None, None))
            if name is None and type(each) is CellType:
                try:
                    _, name = named.pop(id(_content_of(each)), (None, None))
                except ValueError:  # an empty cell
                    name = None
                links.append((each, Edge.CELL, self.named(name)))
            else:
                links.append((each, kind if name is not None else Edge.STACK, self.named(name)))
        links += [(value, kind, self.named(name)) for value, name in named.values()]
        return links

    def deferred(self, item: Any) -> list[Link]:
        """A generator or coroutine."""
        found = others(item)
        code = _code_of_deferred[type(item)](item) if type(item) in _code_of_deferred else None
        if code is not None:
            file = clean(code.co_filename)
            self._rows.name(id(item), clean(code.co_qualname), place=file, line=code.co_firstlineno)
        frame = _frame_of[type(item)](item) if type(item) in _frame_of else None
        if type(frame) is not FrameType or not destructors.may_ask(frame, found):
            return [(each, Edge.OTHER, NONE) for each in found]
        return self._locals(found, frame, Edge.LOCAL)


def others(item: Any) -> list[Any]:
    """What an object refers to but for its class."""
    found = gc.get_referents(item)
    of = type(item)
    for place, each in enumerate(found):
        if each is of:
            del found[place]
            break
    return found
