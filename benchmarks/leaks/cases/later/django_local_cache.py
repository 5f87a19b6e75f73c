"""No leak: pages in Django's cache in local memory: at 3,000 of them, a third is thrown out.

Reported as mozilla/standup#289, whose process ran out of memory again and again.

Holder: ``_pages._cache``, an ``OrderedDict`` of bytes; full after a third of the run, and a saw-tooth from then on.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="pages in Django's local memory cache",
    requires=("django==5.1.4",),
    source="https://github.com/mozilla/standup/pull/289",
)
_traffic = Traffic(239)
_pages: Any = None


def setup() -> None:
    global _pages
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    from django.core.cache.backends.locmem import LocMemCache

    _pages = LocMemCache("pages", {"TIMEOUT": None, "OPTIONS": {"MAX_ENTRIES": 3000}})


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 9 == 0:
        _pages.set(f"page:{i}", f"<p>question {i}</p>" * (3 + i % 17))
        _pages.get(f"page:{i - 900}")
