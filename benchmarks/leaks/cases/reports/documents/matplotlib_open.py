"""A chart for each report, drawn and saved, and never closed: pyplot keeps every figure.

Reported as rzellem/EXOTIC#323 and I2PC/scipion#1610.
"""

import io
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="figures of matplotlib that stay open",
    leaks="objects",
    culprit=("matplotlib.*",),
    requires=("matplotlib==3.9.2",),
    source="https://github.com/rzellem/EXOTIC/issues/323",
)
_traffic = Traffic(126)
_plot: Any = None


def setup() -> None:
    global _plot
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["figure.max_open_warning"] = 0
    from matplotlib import pyplot

    _plot = pyplot


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 1000 == 0:
        figure, axes = _plot.subplots(figsize=(2, 1))
        axes.plot(range(50))
        figure.savefig(io.BytesIO())
