"""What a payload may hold, field by field: types, ranges, lengths, and texts that every database can store."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from memwatch.records.json_record import parse_time
from memwatch.records.server_settings import DECLARED, Value
from memwatch.records.server_settings import MAX_TEXT as MAX_SETTING
from memwatch.records.server_settings import MAX_WHOLE as MAX_SETTING_WHOLE
from memwatch.sampling.allocator.settings import MOST_SETTINGS, MOST_TEXT, is_setting
from memwatch.sampling.identity import OutsideProcess, ProcessInfo
from memwatch.sampling.resource import MOST_ATTRIBUTES, MOST_VALUE, is_attribute
from memwatch.sampling.type_names import MAX_NAME, clean
from memwatch.transport import strict_json

WIRE_VERSION = 1
MAX_REPORT_BYTES = 1024 * 1024
MAX_COMMAND_BYTES = 16 * 1024
MAX_SNAPSHOTS_PER_REPORT = 100
MAX_TEXT = MAX_NAME
MAX_TYPES = 500
MIN_LEASE_S, MAX_LEASE_S = 1.0, 7 * 86400.0
MAX_WHOLE = 10**15
_MAX_INT32 = 2**31 - 1
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond these no clock of a living machine is, and databases and time zones begin to disagree."""


class WireError(ValueError):
    """A payload that cannot be taken. ``reason`` is a short stable word for counters, the text says more."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(clean(detail))
        self.reason = reason


@contextlib.contextmanager
def malformed(what: str) -> Iterator[None]:
    """Whatever a hostile value can make Python raise becomes a :class:`WireError`."""
    try:
        yield
    except WireError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError, OSError) as error:
        raise WireError("malformed", f"{what}: {type(error).__name__}: {str(error)[:200]}") from None


def load(payload: bytes, limit: int) -> dict[str, Any]:
    """The JSON object of a payload of our version. Raises :class:`WireError`."""
    value = load_json(payload, limit)
    version = value.get("v")
    if type(version) is not int or version != WIRE_VERSION:
        raise WireError("version", f"version {shown(version)}: this memwatch speaks {WIRE_VERSION}")
    return value


def load_json(payload: bytes, limit: int) -> dict[str, Any]:
    """A JSON object of any version. Raises :class:`WireError`."""
    if len(payload) > limit:
        raise WireError("oversized", f"payload of {len(payload)} bytes, the limit is {limit}")
    try:
        value = strict_json.loads(payload)
    except ValueError as error:
        raise WireError("malformed", f"not JSON: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise WireError("malformed", f"a JSON object is wanted, this is a {type(value).__name__}")
    return value


def sendable(value: Any) -> Any:
    """``value`` as JSON can say it: times as ISO 8601, texts cleaned, what is ``None`` or no number left out."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {
            clean(str(key)): sendable(item)
            for key, item in value.items()
            if item is not None and not (isinstance(item, float) and not math.isfinite(item))
        }
    if isinstance(value, list | tuple):
        return [sendable(item) for item in value]
    return value


def items(value: Mapping[str, Any], name: str) -> list[Any]:
    """The list called ``name``, at most ``MAX_SNAPSHOTS_PER_REPORT`` long; empty if it is missing."""
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or len(found) > MAX_SNAPSHOTS_PER_REPORT:
        raise WireError("malformed", f"{name}: a list of at most {MAX_SNAPSHOTS_PER_REPORT} is wanted")
    return found


def mapping(name: str, value: object) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise WireError("malformed", f"{name} is {shown(value)}, an object is wanted")
    return value


def text(name: str, value: object, *, limit: int = MAX_TEXT, default: str | None = None) -> str:
    """A text without control characters and lone surrogates, cut at ``limit``."""
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise WireError("malformed", f"{name} is {shown(value)}, a text is wanted")
    if value.isprintable():
        return value[:limit]
    if limit > MAX_NAME:
        raise WireError("malformed", f"{name} has characters that cannot be printed")
    return clean(value)[:limit]


def number(name: str, value: object, *, low: float = 0, high: float = MAX_WHOLE) -> float:
    """A number, not a truth value."""
    if (type(value) is not float and type(value) is not int) or not low <= value <= high:
        raise WireError("malformed", f"{name} is {shown(value)}, a number from {low:g} to {high:g} is wanted")
    return value


def whole(name: str, value: object, *, high: int = MAX_WHOLE) -> int:
    """A whole number from 0 on."""
    if type(value) is not int or not 0 <= value <= high:
        raise WireError("malformed", f"{name} is {shown(value)}, a whole number from 0 to {high} is wanted")
    return value


def time(name: str, value: object) -> datetime:
    """A time between 1970 and 2200, in UTC."""
    if not isinstance(value, str) or len(value) > 64:
        raise WireError("malformed", f"{name} is {shown(value)}, a time in ISO 8601 is wanted")
    found = parse_time(name, value)
    if not _FIRST <= found <= _LAST:
        raise WireError("malformed", f"{name} is {value}: is the clock right?")
    return found.astimezone(UTC)


def moment(name: str, value: object) -> float:
    """Seconds since 1970, before 2200."""
    return number(name, value, high=_LAST.timestamp())


def shown(value: object) -> str:
    """A value in an error's text."""
    if isinstance(value, str):
        return repr(value[:40])
    if isinstance(value, int | float):
        return str(value)[:40] if abs(value) < 1e300 else "a huge number"
    return f"a {type(value).__name__}"


def signed(name: str, value: object) -> float:
    """A number that may be below 0."""
    return number(name, value, low=-MAX_WHOLE)


int32 = partial(whole, high=_MAX_INT32)


def process(value: object) -> ProcessInfo:
    """Who reports."""
    found = mapping("process", value)
    parent = found.get("parent_pid")
    budget = found.get("cpu_budget_percent")
    frozen = found.get("frozen_objects")
    modules = found.get("extension_modules") or []
    if not isinstance(modules, list):
        raise WireError("malformed", f"extension_modules is {shown(modules)}, a list is wanted")
    return ProcessInfo(
        host=text("host", found["host"]) or "unknown",
        pid=int32("pid", found["pid"]),
        started_at=time("started_at", found["started_at"]),
        nonce=text("nonce", found["nonce"], limit=64),
        service=text("service", found["service"]) or "unknown",
        program=text("program", found.get("program"), default=""),
        command_line=text("command_line", found.get("command_line"), default=""),
        parent_pid=None if parent is None else int32("parent_pid", parent),
        release=text("release", found.get("release"), default=""),
        python=text("python", found.get("python"), default=""),
        agent=text("agent", found.get("agent"), default=""),
        extension_modules=tuple(text("extension_modules", item) for item in modules[:100]),
        census_method=text("census_method", found.get("census_method"), default=""),
        cpu_budget_percent=None if budget is None else number("cpu_budget_percent", budget, high=100),
        start_method=text("start_method", found.get("start_method"), limit=20, default=""),
        frozen_objects=None if frozen is None else whole("frozen_objects", frozen),
        allocator_settings=_allocator_settings(found.get("allocator_settings")),
        server_settings=_server_settings(found.get("server_settings")),
        resource=_resource(found.get("resource")),
    )


def _allocator_settings(value: object) -> dict[str, str] | None:
    """Those that this version knows; any other is left out."""
    if value is None:
        return None
    found = mapping("allocator_settings", value)
    if len(found) > MOST_SETTINGS:
        raise WireError("malformed", f"allocator_settings: an object of at most {MOST_SETTINGS} is wanted")
    texts = {name: text("allocator_settings", each, limit=MOST_TEXT + 1) for name, each in found.items()}
    return {name: each for name, each in texts.items() if is_setting(name, each)}


def _resource(value: object) -> dict[str, str]:
    """Attributes of the form that an agent sends; any other is left out."""
    found = {} if value is None else mapping("resource", value)
    if len(found) > MOST_ATTRIBUTES:
        raise WireError("malformed", f"resource: an object of at most {MOST_ATTRIBUTES} attributes is wanted")
    texts = {name: text("resource", each, limit=MOST_VALUE) for name, each in found.items()}
    return {name: each for name, each in texts.items() if is_attribute(name, each)}


def _server_settings(value: object) -> dict[str, Value]:
    """Those that are declared; what a newer agent says beyond them is ignored."""
    given = {} if value is None else mapping("server_settings", value)
    found: dict[str, Value] = {}
    for name, declared in DECLARED.items():
        item = given.get(name)
        if item is None:
            continue
        if declared.type is str:
            found[name] = text(name, item, limit=MAX_SETTING)
        elif declared.type is int:
            found[name] = whole(name, item, high=MAX_SETTING_WHOLE)
        elif type(item) is bool:
            found[name] = item
        else:
            raise WireError("malformed", f"{name} is {shown(item)}, true or false is wanted")
    return found


def outside(value: object) -> OutsideProcess:
    """A process that another reports."""
    found = mapping("outside", value)
    return OutsideProcess(
        pid=int32("pid", found["pid"]),
        started_at=time("started_at", found["started_at"]),
        program=text("program", found.get("program"), default=""),
        command_line=text("command_line", found.get("command_line"), default=""),
        rss_mb=number("rss_mb", found["rss_mb"]),
        vms_mb=number("vms_mb", found["vms_mb"]),
        timestamp=time("timestamp", found["timestamp"]),
    )
