"""What objects and references are called, and whether they belong to the program's own code."""

from __future__ import annotations

import os
from pathlib import Path

from memwatch.diagnosis.own_code import is_own
from memwatch.heapdump import words
from memwatch.heapdump.analysis.graph import C_CODE, CLASS_EDGE, HeapGraph
from memwatch.heapdump.format import Edge, Family

_OUR_FOLDER = f"{Path(__file__).parents[2]}{os.sep}"


def edge_label(graph: HeapGraph, reference: int) -> str:
    """As :func:`words.reference`; of what is not in the file: ``class``, ``root``."""
    kind = int(graph.kinds[reference])
    if kind >= CLASS_EDGE:
        return "class" if kind == CLASS_EDGE else "root"
    return words.reference(Edge(kind), graph.name_of(reference))


def node_label(graph: HeapGraph, node: int) -> str:
    """The type, and the name where the object has one: ``function shop.views.cart``, ``dict of module shop.leaks``."""
    if node == graph.top:
        return "all roots"
    of = graph.type_of(node)
    label = graph.labels.get(node)
    if label is not None:
        return words.titled(of.name, of.family, label.name)
    root = graph.roots.get(node)
    if root is not None and root.name != C_CODE:
        return f"{of.name} of {root.label}" if of.family is not Family.FRAME else root.label
    length = int(graph.lengths[node])
    return of.name if length == 0xFFFF_FFFF else f"{of.name} ({length:,})"


class Origins:
    """Tells the program's own code from libraries, by the files of modules and functions."""

    def __init__(self, graph: HeapGraph) -> None:
        self._graph = graph
        self._files = graph.files()
        package = graph.about.get("package")
        self._package = package if isinstance(package, str) else ""
        self._own_types = [self.own_module(each.module) for each in graph.type_list]

    def own_module(self, module: str) -> bool:
        """Whether the module's file is no library's; a module without a known file is none of the program's."""
        file = self._files.get(module, "") if module.partition(".")[0] != "memwatch" else ""
        return bool(file) and is_own(file, self._package)

    def own(self, node: int) -> bool:
        """Whether the object is an instance of an own class, or an own module, class, function or frame."""
        label = self._graph.labelled(node)
        if label is not None and label.file:
            return is_own(label.file, self._package) and not label.file.startswith(_OUR_FOLDER)
        return self._own_types[int(self._graph.types[node])]
