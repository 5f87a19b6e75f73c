"""No leak: the main text of many pages, by trafilatura, which drops paragraphs that it has just seen elsewhere.

Reported as adbar/trafilatura#216.

Holder: ``trafilatura.deduplication.LRU_TEST`` (4,096 texts, full after half of the run) and smaller caches.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="texts of pages in trafilatura's caches",
    requires=("trafilatura==1.12.2", "lxml==5.3.1"),
    source="https://github.com/adbar/trafilatura/issues/216",
)
_traffic = Traffic(245)
_extract: Any = None


def setup() -> None:
    global _extract
    import trafilatura

    _extract = trafilatura.extract


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 300 == 0:
        said = "".join(
            f"<p>Paragraph {number} of article {i}, which says more than a line about the weather: {i * 31 + number}, "
            f"and then that nothing new was seen of number {i + number} at all since the last of them.</p>"
            for number in range(30)
        )
        page = (
            f"<html><head><title>News {i}</title></head><body><article><h1>News {i}</h1>{said}</article></body></html>"
        )
        assert f"article {i}" in (_extract(page, deduplicate=True) or "")
