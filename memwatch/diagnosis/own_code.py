"""The program's own code nearest to a holder: whose attribute it is, which function's variable, and in which line.

What belongs to whom is read in the copy of the process (:func:`locate`), the source afterwards (:func:`line_of`).
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from memwatch.diagnosis.allocations.sites import is_library
from memwatch.diagnosis.heap import introspection, references
from memwatch.diagnosis.heap_dump.kinds import LruCache
from memwatch.diagnosis.referrers.graph import Graph
from memwatch.diagnosis.source_lines import Sources
from memwatch.heapdump.format import Edge
from memwatch.sampling.type_names import clean, type_name

MOST_STEPS = 60
MOST_FUNCTIONS = 200
_OURS = f"{Path(__file__).parents[1]}{os.sep}"
_GETTERS = tuple(vars(property)[name].__get__ for name in ("fget", "fset"))
_WRAPPED = tuple((of, vars(of)["__func__"].__get__) for of in (staticmethod, classmethod))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the program's own code comes near to the holder."""

    label: str
    """``AuditTrail.trail``, ``shop.leaks.QUOTES``, ``'kept' of handler``."""
    name: str
    """The attribute or variable."""
    file: str
    module: str
    functions: tuple[tuple[int, int], ...]
    """First and last lines of the functions that name it."""
    own: bool = True
    """Whether it is the program's own, not a library's."""


def locate(
    holder: int, graph: Graph, objects: Mapping[int, Any], environment: Mapping[str, str] = os.environ
) -> Place | None:
    """From the holder up, the nearest place of the program's own, else of a library; ``None`` where there is none."""
    package = environment.get("DJANGO_SETTINGS_MODULE", "").partition(".")[0]
    of_library: Place | None = None
    seen, waiting = {holder}, deque([holder])
    for _ in range(MOST_STEPS):
        if not waiting:
            break
        child = waiting.popleft()
        for place in _places_of(child, graph, objects):
            if place.file and is_own(place.file, package):
                return place
            if of_library is None and not place.file.startswith("<"):
                of_library = dataclasses.replace(place, own=False)
        for parent, _link in graph.parents(child):
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return of_library


def is_own(file: str, package: str) -> bool:
    """Whether it is the program's: no installed package but its own, and not memwatch."""
    if file.startswith(_OURS):
        return False
    return not is_library(file) or (bool(package) and f"-packages/{package}/" in file.replace("\\", "/"))


def _places_of(child: int, graph: Graph, objects: Mapping[int, Any]) -> Iterator[Place]:
    item = objects.get(child)
    if type(item) is LruCache and (function := references.wrapped(item)) is not None:
        yield _in_function(function, "")
    for parent, link in graph.parents(child):
        owners = graph.owners(parent)
        if owners or link.how is Edge.ATTRIBUTE:
            for each in owners or [parent]:
                yield from _attribute(objects.get(each), link.name)
        elif type(objects.get(parent)) is CellType:
            for owner, up in graph.parents(parent):
                if up.how is Edge.CELL:
                    yield from _function(objects.get(owner), up.name)
        else:
            yield from _function(objects.get(parent), link.name if link.how is Edge.LOCAL else "")
    for start in graph.starts(child):
        if start.thread:
            label = f"'{start.name}' of {start.of}"
            lines = ((start.line, start.line),)
            yield Place(label=label, name=start.name, file=start.file, module="", functions=lines)
        else:
            yield from _global(start.of, start.name)


def _function(holder: Any, variable: str) -> Iterator[Place]:
    """A function, or one that is suspended, or a frame of one."""
    if type(holder) is FunctionType:
        yield _in_function(holder, variable)
    elif (code := references.code_run(holder)) is not None:
        yield _in_code(code, variable, f"'{variable}' of {clean(code.co_qualname)}", "")


def _attribute(owner: Any, name: str) -> Iterator[Place]:
    """An attribute of a class, of an instance (identified by its class), or of a module."""
    if type(owner) is ModuleType:
        yield from _global(str(introspection.module_dict_of(owner).get("__name__")), name)
        return
    for of in introspection.mro_of(owner if introspection.is_class(owner) else type(owner)):
        namespace = introspection.namespace_of(of)
        module = namespace.get("__module__")
        functions = list(_functions(namespace))
        if functions:
            label = f"{type_name(of).removeprefix(f'{module}.')}.{clean(name)}"
            yield _naming(functions, name, label, module if type(module) is str else "")


def _global(module: str, name: str) -> Iterator[Place]:
    import sys  # noqa: PLC0415 - always loaded

    found = sys.modules.get(module)
    if type(found) is not ModuleType:
        return
    namespace = introspection.module_dict_of(found)
    functions = [each for each in _functions(namespace) if _module_of(each) == module]
    for each in list(namespace.values()):
        if any(base is type for base in introspection.mro_of(type(each))) and len(functions) < MOST_FUNCTIONS:
            own = introspection.namespace_of(each)
            if own.get("__module__") == module:
                functions += _functions(own)
    file = namespace.get("__file__")
    label = f"{module}.{clean(name)}"
    place = _naming(functions, name, label, module) if functions else None
    if type(file) is str:
        own_functions = place.functions if place is not None and place.file == file else ()
        yield Place(label=label, name=name, file=file, module=module, functions=own_functions)
    elif place is not None:
        yield place


def _module_of(function: FunctionType) -> Any:
    return vars(FunctionType)["__module__"].__get__(function)


def _functions(namespace: Any) -> Iterator[FunctionType]:
    """Those of a namespace, methods of each kind unwrapped."""
    for item in list(namespace.values()):
        kind = type(item)
        if kind is FunctionType:
            yield item
        for of, unwrap in _WRAPPED:
            if kind is of and type(inner := unwrap(item)) is FunctionType:
                yield inner
        if kind is property:
            yield from (inner for inner in (get(item) for get in _GETTERS) if type(inner) is FunctionType)


def _naming(functions: list[FunctionType], name: str, label: str, module: str) -> Place:
    """The functions among these that name it; else the first."""
    codes = [introspection.code_of(each) for each in functions[:MOST_FUNCTIONS]]
    naming = [code for code in codes if name in code.co_names]
    first = min(naming or codes, key=lambda code: code.co_firstlineno)
    lines = tuple(_lines(code) for code in naming if code.co_filename == first.co_filename)
    return Place(label=label, name=name, file=first.co_filename, module=module, functions=lines)


def _in_function(function: FunctionType, name: str) -> Place:
    title = introspection.function_name(function)
    module = _module_of(function)
    label = f"'{name}' of {title}" if name else title
    return _in_code(introspection.code_of(function), name, label, module if type(module) is str else "")


def _in_code(code: CodeType, name: str, label: str, module: str) -> Place:
    return Place(label=label, name=name, file=code.co_filename, module=module, functions=(_lines(code),))


def _lines(code: CodeType) -> tuple[int, int]:
    return code.co_firstlineno, max((line for *_, line in code.co_lines() if line), default=code.co_firstlineno)


def line_of(place: Mapping[str, Any], sources: Sources) -> tuple[str, int, str]:
    """``(file as it is shown, line, its text)``: where the name is added to, else where it is named, else defined."""
    file, name = str(place["file"]), str(place["name"])
    shown = _shown(file, str(place["module"]))
    ranges = [(int(first), int(last)) for first, last in place["functions"]]
    word = re.escape(name)
    if name:
        for pattern in (_adding(name), re.compile(rf"\b{word}\b")):
            for first, last in ranges or [(1, 20_000)]:
                for line in range(first, min(last, first + 5_000) + 1):
                    text = sources.code(file, line)
                    if not text and not ranges and line > sources.length(file):
                        break
                    if pattern.search(text) and not text.startswith(("def ", "class ", "#", "@", "import ", "from ")):
                        return shown, line, text
    line = ranges[0][0] if ranges else 1
    return shown, line, sources.code(file, line)


def adds(name: str, line: str) -> bool:
    """Whether a line of code adds to what has this name."""
    return bool(name) and _adding(name).search(line) is not None


def _adding(name: str) -> re.Pattern[str]:
    return re.compile(
        rf"\b{re.escape(name)}"
        r"(\[.*\]\s*=[^=]|\s*\+=|\b.*\.(append|appendleft|add|update|setdefault|extend|insert|put)\()"
    )


def _shown(file: str, module: str) -> str:
    """The file as a programmer calls it: from its outermost package on, else its last two parts."""
    path = module.replace(".", "/")
    normal = file.replace("\\", "/")
    for ending in (f"{path}.py", f"{path}/__init__.py"):
        if path and normal.endswith(f"/{ending}"):
            return clean(ending)
    return clean("/".join(normal.split("/")[-2:]))
