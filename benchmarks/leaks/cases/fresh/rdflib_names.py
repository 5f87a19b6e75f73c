"""A graph of rdflib that lives as long as its server, and short names of what customers ask for.

Reported as RDFLib/rdflib#739: the graph's namespace manager keeps each URI that it ever shortened.

Holder: ``_NamespaceManager__cache``, a dict of the namespace manager.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="URIs that rdflib shortened",
    leaks="objects",
    culprit=("*URIRef", "*tuple", "*__cache", "rdflib.*"),
    holder=("*NamespaceManager__cache*", "*NamespaceManager.__cache*", "*__cache"),
    requires=("rdflib==7.1.1",),
    source="https://github.com/RDFLib/rdflib/issues/739",
)
_traffic = Traffic(308)
_graph: Any = None


def setup() -> None:
    global _graph
    from rdflib import Graph

    _graph = Graph()
    _graph.bind("shop", "https://shop.example/things/")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        assert _graph.namespace_manager.qname(f"https://shop.example/things/n{i}") == f"shop:n{i}"
