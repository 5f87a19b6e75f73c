"""No leak: a chart for each report, drawn and closed; a figure is one big cycle, and waits for the collector.

Reported as matplotlib/matplotlib#8519. Caches of the sizes of texts (``lru_cache``, 4,096) still fill slowly.
"""

import io
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="figures of matplotlib that are closed",
    requires=("matplotlib==3.9.2",),
    source="https://github.com/matplotlib/matplotlib/issues/8519",
)
_traffic = Traffic(125)
_plot: Any = None


def setup() -> None:
    global _plot
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    _plot = pyplot


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 1000 == 0:
        figure, axes = _plot.subplots(figsize=(2, 1))
        axes.plot(range(50))
        figure.savefig(io.BytesIO())
        _plot.close(figure)
