"""Known leaks of the releases that processes report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from memwatch.known_causes.releases import Match, fitting, matching
from memwatch.models import Leak, Process
from memwatch.queries.processes.installations import Installed, installed


class InService(NamedTuple):
    """A known leak in the processes of a service."""

    service: str
    match: Match


def of_leaks(leaks: Sequence[Leak]) -> dict[int, list[Match]]:
    """Those that may explain each leak, by its id: the ones that grow as it does come first.

    A leak of a whole service is explained by what its living processes have installed. At most four queries.
    """
    own = installed(Process.objects.filter(pk__in={leak.process_id for leak in leaks if leak.process_id}))
    services = {leak.service_id for leak in leaks if leak.process_id is None}
    shared = installed(Process.objects.alive().filter(service__in=services)) if services else []
    return {
        leak.pk: fitting(_matches(_of(leak, own if leak.process_id else shared)), leak.kind, leak.object_type)
        for leak in leaks
    }


def in_services(service: str | None = None) -> list[InService]:
    """Those of the processes that are alive, of one service or of all; packages that none has imported are left out."""
    alive = Process.objects.alive()
    found = installed(alive if service is None else alive.filter(service__name=service))
    return [
        InService(name, match)
        for name in dict.fromkeys(each.service for each in found)
        for match in _matches([each for each in found if each.service == name])
        if match.imported
    ]


def _of(leak: Leak, found: Iterable[Installed]) -> list[Installed]:
    if leak.process_id is None:
        return [each for each in found if each.service_id == leak.service_id]
    return [each for each in found if leak.process_id in each.processes]


def _matches(found: Iterable[Installed]) -> list[Match]:
    """Each once, as imported if any has imported it."""
    every: dict[tuple[str, str], Match] = {}
    for each in found:
        for match in matching(each.distributions, each.python):
            key = match.leak.id, match.version
            if key not in every or match.imported:
                every[key] = match
    return list(every.values())
