"""The options of each kind of recording: the one place that knows their kinds, defaults and bounds. No Django.

Agent, services, API and admin read and describe them with what is declared here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from memwatch.diagnosis.context import Refused

LONGEST_TEXT = 300
UNTRACKED = "untracked"
"""In place of a type: objects that the garbage collector does not track, by the container that has grown most."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """What an option accepts."""

    kind: str
    """``text``, ``whole``, ``number``, ``flag`` or ``choice``."""
    help: str
    """For people, in English, without bounds."""
    default: Any = None
    most: int = 0
    """The largest number; larger ones are cut to it."""
    choices: tuple[str, ...] = ()

    def read(self, name: str, value: Any) -> Any:
        """The value, cut to ``most``. Raises :class:`Refused` that names the option and what would be right."""
        wrong = Refused(f"{name} is {str(value)[:40]!r}: give {self._wanted()}")
        match self.kind:
            case "flag" if isinstance(value, bool):
                return value
            case "choice" if value in self.choices:
                return value
            case "text" if isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable():
                if value.strip():
                    return value.strip()
            case "whole" if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return min(value, self.most)
            case "number" if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
                return min(value, self.most)
        raise wrong

    def _wanted(self) -> str:
        if self.kind == "flag":
            return "true or false"
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        if self.kind == "text":
            return f"the name of a type or container, at most {LONGEST_TEXT} printable characters"
        return f"a {'whole ' if self.kind == 'whole' else ''}number from 1 to {self.most}"


def _declared(option: Option, *, required: bool = False) -> Any:
    default = dataclasses.MISSING if required else option.default
    return dataclasses.field(default=default, metadata={"option": option})


_DURATION = Option(kind="number", default=30, most=300, help="Seconds for which allocations are traced.")
_FRAMES = Option(kind="whole", default=1, most=25, help="Frames of each traceback; more frames cost more.")
_TYPE = Option(kind="text", help="Name of the type as in snapshots: module.QualName.")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ReferrersOptions:
    """Options of a recording of referrers."""

    type: str = _declared(_TYPE, required=True)
    """Also ``untracked``."""
    container: str = _declared(
        Option(
            kind="text",
            default="",
            help="With the type untracked: the module-level name of the container, or `list at 0x7f2c5d1a8c40`.",
        )
    )
    """Empty for the container that has grown most."""
    samples: int = _declared(Option(kind="whole", default=20, most=100, help="Instances whose values are shown."))
    """Five times as many are examined."""
    values: bool = _declared(
        Option(
            kind="flag",
            default=False,
            help="Show texts and numbers that the instances hold. They may be personal data. The process needs "
            "RECORD_VALUES on. Objects that hold sessions, passwords, keys or connections never show any.",
        )
    )
    depth: int | None = _declared(Option(kind="whole", most=12, help="Steps to follow the references upwards."))
    """``None`` for as many as it takes."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AllocationsOptions:
    """Options of a recording of allocation sites."""

    type: str | None = _declared(_TYPE)
    """The type whose allocations are marked."""
    duration_s: float = _declared(_DURATION)
    frames: int = _declared(_FRAMES)
    callers: bool = True
    """Where a library's line allocates, trace some seconds more, with deep stacks, for the program's own callers."""
    max_traced_mb: float = _declared(
        Option(kind="number", default=64, most=1024, help="The recording ends when this many megabytes are traced.")
    )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FlamegraphOptions:
    """Options of a flame graph."""

    duration_s: float = _declared(_DURATION)
    mode: str = _declared(
        Option(
            kind="choice",
            default="leaks",
            choices=("leaks", "peak"),
            help="Shows what was not freed by the end, or what was alive at the peak.",
        )
    )
    native_traces: bool = _declared(
        Option(
            kind="flag",
            default=False,
            help="Also record frames of extension modules, which Python's own traces do not show.",
        )
    )
    max_file_mb: float = _declared(
        Option(kind="number", default=16, most=64, help="The recording ends when the capture has this many megabytes.")
    )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrimOptions:
    """Options of a trim."""

    max_pause_ms: float = _declared(
        Option(
            kind="number",
            default=2000,
            most=30_000,
            help="Refuse if the call may take longer, in milliseconds: at most 0.7 for each megabyte that malloc "
            "has free. Threads that need memory wait for it.",
        )
    )
    watch_minutes: int = _declared(
        Option(
            kind="whole",
            default=5,
            most=60,
            help="Minutes for which memwatch follows resident memory afterwards, by the snapshots of the process.",
        )
    )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class HeapDumpOptions:
    """Options of a heap dump."""

    keys: bool = _declared(
        Option(
            kind="flag",
            default=False,
            help="Also name keys of dicts that are short identifiers. They may be personal data. No other contents "
            "are ever in a dump.",
        )
    )
    max_mb: float = _declared(
        Option(kind="number", default=64, most=128, help="A dump that needs a larger file fails.")
    )
    any_driver: bool = _declared(
        Option(
            kind="flag",
            default=False,
            help="Also where CUDA or gRPC is loaded. There the copy may crash; the process itself goes on.",
        )
    )


_CLASSES: Mapping[str, type] = {
    "referrers": ReferrersOptions,
    "allocations": AllocationsOptions,
    "flamegraph": FlamegraphOptions,
    "trim": TrimOptions,
    "heap_dump": HeapDumpOptions,
}


def _options(cls: type) -> dict[str, Option]:
    return {field.name: field.metadata["option"] for field in dataclasses.fields(cls) if field.metadata}


OF_KIND: Mapping[str, Mapping[str, Option]] = {
    **{kind: _options(cls) for kind, cls in _CLASSES.items()},
    "heap_summary": {},
}
"""The options of each kind of recording, by name."""
ALL: Mapping[str, Option] = {name: option for options in OF_KIND.values() for name, option in options.items()}
"""Every option by name; kinds that share a name share its bounds."""
DURATION_S, MAX_DURATION_S, MAX_FRAMES = _DURATION.default, _DURATION.most, _FRAMES.most


def read(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given and belong to the kind, checked and cut to their bounds; ``None`` is not given.

    Raises :class:`Refused` that names the option and what would be right.
    """
    options = OF_KIND[kind]
    values = {name: options[name].read(name, given[name]) for name in options if given.get(name) is not None}
    if kind == "referrers" and "type" not in values:
        raise Refused('type is missing: give the name of the type to look for, e.g. "shop.leaks.PriceQuote"')
    return values


def referrers(given: Mapping[str, Any]) -> ReferrersOptions:
    """As :func:`read`."""
    return ReferrersOptions(**read("referrers", given))


def allocations(given: Mapping[str, Any]) -> AllocationsOptions:
    """As :func:`read`."""
    return AllocationsOptions(**read("allocations", given), callers=given.get("frames") is None)


def flamegraph(given: Mapping[str, Any]) -> FlamegraphOptions:
    """As :func:`read`."""
    return FlamegraphOptions(**read("flamegraph", given))


def trim(given: Mapping[str, Any]) -> TrimOptions:
    """As :func:`read`."""
    return TrimOptions(**read("trim", given))


def heap_dump(given: Mapping[str, Any]) -> HeapDumpOptions:
    """As :func:`read`."""
    return HeapDumpOptions(**read("heap_dump", given))
