"""No leak: a small graph of NetworkX for each question where a machine stands; the graph and its views are a cycle.

Reported as Yelp/environment_tools#2.

Holder: the graph's own views of its edges, until the next collection.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="graphs that wait for the collector",
    requires=("networkx==3.3",),
    source="https://github.com/Yelp/environment_tools/issues/2",
)
_traffic = Traffic(322)
_networkx: Any = None


def setup() -> None:
    global _networkx
    import networkx

    _networkx = networkx


def _region_of(machine: int) -> str:
    graph = _networkx.DiGraph()
    for region in range(3):
        for habitat in range(6):
            graph.add_edge(f"region-{region}", f"habitat-{region}-{habitat}")
            for place in range(1 + machine % 9):
                graph.add_edge(f"habitat-{region}-{habitat}", f"place-{region}-{habitat}-{place}")
    return str(next(start for start, end in graph.edges if end == f"habitat-{machine % 3}-{machine % 6}"))


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 25 == 0:
        assert _region_of(i) == f"region-{i % 3}"
