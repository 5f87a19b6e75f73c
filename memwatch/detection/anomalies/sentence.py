"""An anomaly in words."""

from __future__ import annotations

from collections.abc import Mapping

from memwatch.detection.anomalies.figures import MB, WATCHED
from memwatch.detection.anomalies.siblings import Unlike

MOST_FIGURES = 3
MUCH_BUSIER = 1.3


def sentence(figures: Mapping[str, Unlike], compared_with: str) -> str:
    """``Higher than its siblings: resident memory 412 MB instead of 240 MB (+72 %).`` The most unlike comes first."""
    parts = [_figure(name, unlike) for name, unlike in list(figures.items())[:MOST_FIGURES]]
    more = len(figures) - len(parts)
    others = f", and {more} more figure{'s' if more > 1 else ''}" if more > 0 else ""
    return f"Higher than {compared_with}: {', '.join(parts)}{others}."


def _figure(name: str, unlike: Unlike) -> str:
    watched = WATCHED[name]
    value, usual = _amount(unlike.value, watched.unit), _amount(unlike.usual, watched.unit)
    share = f" ({100 * (unlike.value / unlike.usual - 1):+.0f} %)" if unlike.usual > 0 else ""
    return f"{watched.label[0].lower()}{watched.label[1:]} {value} instead of {usual}{share}"


def _amount(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if unit == MB or value >= 100 else f"{value:.3g}"
    return f"{number} {unit}".rstrip()


def load(times: float | None, compared_with: str) -> str:
    """What the load explains; empty where it explains nothing."""
    if times is None or times < MUCH_BUSIER:
        return ""
    return f"It does {times:.1f} times as many jobs as {compared_with}."
