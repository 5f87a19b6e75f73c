"""Pages of some kilobytes kept by an object of the site."""

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="big texts on an attribute", leaks="untracked")


class Site:
    """Remembers what it has sent."""

    def __init__(self) -> None:
        self.pages: list[str] = []


_site = Site()


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 40 == 0:
        _site.pages.append(f"<p>{i}</p>" * 400)
