"""What recordings have found, as values; ``to_dict()`` gives the JSON that is stored and shown.

Sizes are in KiB (``_kb``) and MiB (``_mb``). Type names are ``module.QualName``. Texts are at most 300 characters.
"""

from __future__ import annotations

import dataclasses
from typing import Any


class _Result:
    """``to_dict`` for the dataclasses of this module."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Every attribute by name, JSON-ready."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Referrer(_Result):
    """One way in which instances are referred to."""

    holder_type: str
    via: str
    """``attribute 'x'``, ``key``, ``index``, ``entry``, ``cell 'x'``, ``local variable 'x' of …``, ``shop.NAME``, …"""
    count: int
    """Instances referred to in this way: estimated from those examined, exact where all were."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Chain(_Result):
    """A way from a root to the instances, outermost first."""

    path: tuple[str, ...]
    """E.g. ``shop.leaks.QUOTES (dict, 20,001 entries)``, then ``shop.leaks.PriceQuote``."""
    count: int
    """Instances that it leads to, estimated as in :class:`Referrer`."""
    root: str
    """``module shop.leaks``, ``class shop.Cart``, ``function shop.views.f``, ``thread …``, or why none was found."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Bound(_Result):
    """How many entries a container may have."""

    limit: int
    entries: int
    by: str
    """``lru_cache(maxsize=1024) of shop.views.price``, ``maxsize of shop.Cache``, …"""
    enforced: bool
    """Whether Python or a known library keeps to it; else only the name of an attribute says that it is a bound."""
    own: bool = True
    """Whether it is the holder's; else that of a container further up, which has the holder in an entry."""
    explains: bool = False
    """Whether the growth that was seen is that of the entries, and not of what they hold."""
    when_full_kb: float | None = None
    """What the holder then keeps alive, if later entries take as much as those there; ``None`` where not known."""
    fits: bool | None = None
    """Whether the process has the memory for that."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Lifetime(_Result):
    """After which time the entries of a container expire, by what they or the container's owner say."""

    seconds: float
    """The longest that is left to an entry, or its time to live."""
    by: str
    """``ttl = 900 of shop.Sessions``, ``expires_at of shop.Session``, …"""
    entries: int
    timed: int = 0
    """Entries looked at that have a time of expiry; 0 where only a time to live is known."""
    overdue: int = 0
    """So many of these are long past their time."""
    overdue_s: float | None = None
    """By how long the longest of them is; ``None`` where none is."""
    explains: bool = False
    """Whether the objects come with the entries, a few with each, so that they go with them as well."""
    when_due_kb: float | None = None
    """What the container keeps alive after that time, if it goes on as between the looks; ``None`` where not known."""
    fits: bool | None = None
    """Whether the process has the memory for that."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Expiring(_Result):
    """Nearly all traced objects are held by containers whose entries expire, and come and go with these."""

    holds: int
    """So many of the traced objects."""
    seconds: float
    """The longest time that an entry lives."""
    timed: bool
    """Whether all these containers have entries with a time of expiry, and nearly none of them is overdue."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Garbage(_Result):
    """How many instances nothing refers to from outside of their cycles, and what the garbage collector does."""

    count: int | None
    """``None`` where that is not known."""
    of: int
    """Instances."""
    frozen: int = 0
    """Instances that ``gc.freeze()`` has put aside: no collection looks at them, and they are not in the count."""
    unknown: str = ""
    """Why the count is not known."""
    collects: bool = True
    """Whether the program has the garbage collector on."""
    thresholds: tuple[int, ...] = ()
    """As ``gc.get_threshold()`` gives them."""
    full_collections: int | None = None
    """Since the process started."""
    since_full_s: float | None = None
    """No full collection has run for this time, at least; ``None`` where that is not known."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Kept(_Result):
    """Objects of one type that a holder keeps alive."""

    type: str
    count: int


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Holder(_Result):
    """The container at which most chains pass, and what it keeps alive."""

    name: str
    type: str
    length: int | None
    """Entries; ``None`` where it is no container."""
    retained_kb: float
    """What would be free without it: it, and what only it keeps alive. Where no copy of the process was looked at:
    shallow sizes of what can be reached from it without passing classes, functions and modules."""
    retained_is_lower_bound: bool
    """Whether counting ended before everything was reached."""
    holds: int | None = None
    """How many of the traced objects it holds; ``None`` where it was not a type's instances that were traced."""
    of: int | None = None
    """How many were traced."""
    grew: int | None = None
    """Entries that it gained between two looks; ``None`` where they were not counted twice."""
    grows_per_call: float | None = None
    """The rate for each request or task that the process handled in that time."""
    call: str = ""
    """``request`` or ``task``; empty where the process handles neither, or handled none in that time."""
    sure: bool = False
    """Whether it holds most of the new objects and has grown by them: else it is a guess among others."""
    attribute: str = ""
    """The nearest place in the program's code, else a library's: ``AuditTrail.trail``, a function's variable."""
    code: str = ""
    """``file:line`` of that, where it is added to, as far as the source tells."""
    code_line: str = ""
    """That line of source."""
    own_code: bool = False
    """Whether that is the program's own, not a library's."""
    bound: Bound | None = None
    """``None`` where none was found, or where it has more entries than its bound allows."""
    lifetime: Lifetime | None = None
    """``None`` where its entries do not say that they expire, and in the results of older agents."""
    keeps: tuple[Kept, ...] = ()
    """What it keeps alive by type, the most numerous first; empty where not all of it was counted."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Made(_Result):
    """Objects of the type that were made in the calls of one view, task or command during the recording."""

    kind: str
    """``view``, ``task`` or ``command``."""
    name: str
    count: int
    """Those that were there when their call ended."""
    calls: int
    """So many calls were looked into."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Referrers(_Result):
    """The result of kind ``referrers``."""

    type: str
    instances: int
    new_since_baseline: int | None
    """By how many there are more than at the agent's baseline; ``None`` where that is not known."""
    referrers: tuple[Referrer, ...]
    chains: tuple[Chain, ...]
    holder: Holder | None
    samples: tuple[dict[str, str], ...] = ()
    """Values of built-in types by attribute, of some instances; empty unless asked for."""
    notes: tuple[str, ...] = ()
    candidates: tuple[Holder, ...] = ()
    """The holder and what else may be it, the likeliest first."""
    traced: int | None = None
    """So many objects were traced up; ``new`` ones where there were any."""
    came_between: int | None = None
    """Objects of the type that came between the two looks, are still there and are not known to be garbage; ``None``
    after one look."""
    rooted: bool | None = None
    """Whether there is a way to one of them from a module, a class, a function or a thread; false where all are
    garbage. ``None`` where no way was found: C code may hold them."""
    garbage: Garbage | None = None
    """``None`` for a container, and in the results of older agents."""
    expiring: Expiring | None = None
    """``None`` where the objects do not come and go with entries that expire, and in the results of older agents."""
    made_in: tuple[Made, ...] = ()
    """By view, task and command, most first; empty where no job that could be distinguished made one."""
    retained_kb: float | None = None
    """What would be free without these objects, or the container: they, and what only they keep alive. ``None`` where
    no copy of the process was looked at."""
    retained_is_lower_bound: bool = False
    """Whether that was counted in part only."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TypeSize(_Result):
    """The objects of a type."""

    type: str
    count: int
    size_kb: float
    """Shallow, estimated from a sample."""
    size_error_kb: float | None
    """Half the width of the 95 % interval; ``None`` where too few were sampled to know."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Container(_Result):
    """A big built-in container."""

    name: str
    """Its module-level name; empty where it has none."""
    type: str
    length: int
    holds: str
    """The type of most of its entries."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModuleSize(_Result):
    """The objects whose classes a top-level module defines."""

    module: str
    count: int
    size_kb: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Suspect(_Result):
    """One of the places where memory usually hides."""

    name: str
    count: int
    advice: str
    """What to do where the count is large; empty where it is not."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Mappings(_Result):
    """Memory mappings of the process with the same purpose, as :mod:`memwatch.sampling.mappings` groups them."""

    name: str
    size_kb: float
    """Resident."""
    count: int
    grew_kb: float | None
    """Since the agent's baseline; ``None`` where that is not known."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class HeapSummary(_Result):
    """The result of kind ``heap_summary``, each list with the largest first."""

    types: tuple[TypeSize, ...]
    containers: tuple[Container, ...]
    modules: tuple[ModuleSize, ...]
    garbage: int
    """Objects in ``gc.garbage``."""
    threads: tuple[str, ...]
    suspects: tuple[Suspect, ...]
    mappings: tuple[Mappings, ...] = ()
    """All resident memory; what has grown most first. Empty where the system does not tell, and of older agents."""
    notes: tuple[str, ...] = ()
