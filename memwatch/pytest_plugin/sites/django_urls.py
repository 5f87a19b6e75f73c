"""The named routes of a Django site, with the arguments that they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

Arguments = Mapping[str, Any]
"""By an argument's name its value, or a function that gives one; by a route's name the same for that route alone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """A route that has a name."""

    name: str
    """With its namespaces: ``shop:detail``."""
    needs: tuple[str, ...]
    """Names of its arguments."""


def routes(pattern: str, urlconf: str | None = None) -> list[Route]:
    """Those whose names match, as in a shell: ``shop:*``. Raises :class:`ValueError` where there is none."""
    from django.urls import get_resolver  # noqa: PLC0415 - only where it is used

    found = {route.name: route for route in _walk(get_resolver(urlconf), "", ()) if fnmatchcase(route.name, pattern)}
    if not found:
        raise ValueError(f"no named route matches {pattern!r}: give a name as in reverse(), e.g. 'shop:*'")
    return list(found.values())


def _walk(resolver: Any, namespace: str, needs: tuple[str, ...]) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        own = (*needs, *(name for name in entry.pattern.regex.groupindex if name not in needs))
        if hasattr(entry, "url_patterns"):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _walk(entry, inner, own)
        elif entry.name:
            yield Route(f"{namespace}{entry.name}", own)


def path_of(route: Route, arguments: Arguments) -> tuple[str, str]:
    """Its path, and the names of arguments that are not given; one of them is empty."""
    from django.urls import reverse  # noqa: PLC0415 - only where it is used

    of_route = arguments.get(route.name)
    given = {**arguments, **(of_route if isinstance(of_route, Mapping) else {})}
    unknown = ", ".join(name for name in route.needs if name not in given)
    if unknown:
        return "", unknown
    values = {name: given[name]() if callable(given[name]) else given[name] for name in route.needs}
    return reverse(route.name, kwargs=values), ""
