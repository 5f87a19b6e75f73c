"""What is planted: the names, holders and lines that a right answer gives. And which answers count."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

PLANTED = Path(__file__).parent / "planted"
APP = "siteaudit"
MIDDLEWARE = f"{APP}.middleware.AuditTrail"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """One leak."""

    name: str
    what: str
    file: str
    """Below the application's folder."""
    types: str
    """Names of types that are right, as a regular expression that matches all of it."""
    holder: str
    """A right holder, as a regular expression that is found in what names it."""
    service: str = "web"

    @property
    def lines(self) -> frozenset[str]:
        """``siteaudit/file.py:12`` of each line that is marked."""
        text = (PLANTED / APP / self.file).read_text().splitlines()
        marked = (number for number, line in enumerate(text, 1) if re.search(rf"leak: {self.name}$", line))
        return frozenset(f"{APP}/{self.file}:{number}" for number in marked)


LEAKS = {
    leak.name: leak
    for leak in (
        Planted(
            name="request", what="requests kept by a middleware", file="middleware.py",
            types=r"django\.core\.handlers\.wsgi\.WSGIRequest", holder=r"AuditTrail\.trail|AuditTrail\b.*\btrail",
        ),
        Planted(
            name="receiver", what="strings kept by a receiver of a signal", file="receivers.py",
            types=rf"untracked|(builtins\.)?str|{APP}\.receivers\.SEEN", holder=rf"{APP}\.receivers\.SEEN|\bSEEN\b",
        ),
        Planted(
            name="method", what="lru_cache(maxsize=None) on a method", file="pricing.py",
            types=rf"{APP}\.pricing\.(Tariff|Price)", holder=r"Tariff\.price|Tariff\b.*\bprice\b",
        ),
        Planted(
            name="task", what="rows kept by a task", file="tasks.py", service="worker",
            types=r"django\.contrib\.contenttypes\.models\.ContentType|django\.db\.models\.base\.ModelState",
            holder=rf"{APP}\.tasks\.ROWS|\bROWS\b",
        ),
        Planted(
            name="queryset", what="evaluated querysets in a cache", file="querysets.py",
            types=r"django\.db\.models\.(query\.QuerySet|sql\.query\.Query)|"
            r"django\.contrib\.contenttypes\.models\.ContentType|django\.db\.models\.base\.ModelState",
            holder=rf"{APP}\.querysets\.RECENT|\bRECENT\b",
        ),
        Planted(
            name="closure", what="closures in a registry", file="registry.py",
            types=r"(builtins\.)?(function|cell)", holder=rf"{APP}\.registry\.CALLBACKS|\bCALLBACKS\b",
        ),
    )
}  # fmt: skip
NONE, UNWATCHED = "none", "unwatched"
"""Runs without a leak: watched, and not watched."""
RUNS = (*LEAKS, NONE, UNWATCHED)


def scoring(sites: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Half of the leaks, by site and name: their figures are the score. Nothing is tuned by looking at them."""
    every = [(site, leak) for site in sites for leak in LEAKS]
    every.sort(key=lambda each: hashlib.sha256(" ".join(each).encode()).hexdigest())
    return frozenset(every[: len(every) // 2])
