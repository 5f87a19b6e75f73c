"""The failure as an answer: what grows, by how much, what holds it, which line makes it, what to do. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memwatch.pytest_plugin.findings import Growth, Holder, Leak
from memwatch.pytest_plugin.ledger import MAPPED

_NATIVE = "memory outside Python's objects"
_MAPPED = "memory that a library maps for itself, outside Python's objects"
_UNTRACKED = "objects that the garbage collector does not track (texts, bytes, numbers)"
_MOST_NAMED = 6
_BOUNDS = {
    "list": ", e.g. deque(maxlen=...)",
    "deque": ", e.g. deque(maxlen=...)",
    "dict": ", e.g. by functools.lru_cache(maxsize=...) or a cache whose entries expire",
    "OrderedDict": ", e.g. popitem(last=False) above a size",
}
"""How a holder gets a bound, by its kind."""
KNOWN_REMEDY = (
    "If it is known and stays for now, note it: pytest --memwatch-baseline leaks.toml --memwatch-baseline-write."
)


def failure(subject: str, leaks: Sequence[Leak]) -> str:
    """The whole text for the leaks of one test."""
    paragraphs = [
        "\n".join([f"{subject} leaks {growth(leak.growth, collected=leak.collects)}", *_details(leak)])
        for leak in leaks
    ]
    return "\n".join([*paragraphs, f"  {KNOWN_REMEDY}"])


def growth(found: Growth, *, collected: bool = True) -> str:
    """``shop.models.Entry: 1 object per call (120 in 120 calls, counted after full collections)``."""
    native = _MAPPED if found.memory == MAPPED else _NATIVE
    what = {"native": native, "untracked": _UNTRACKED}.get(found.kind, found.type)
    counted = ", counted after full collections" if collected and found.unit != "KiB" else ""
    return f"{what}: {rate(found)} ({found.grown:,} {_units(found)} in {found.calls:,} calls{counted})"


def rate(found: Growth) -> str:
    """As :func:`rate_of`."""
    return rate_of(found.per_call, found.unit)


def rate_of(each: float, unit: str) -> str:
    """``2 objects per call``, ``1 object in 40 calls``, ``1.5 KB per call``."""
    if unit == "KiB":
        return f"{each * 1024:,.0f} bytes per call" if each < 1 else f"{each:,.1f} KB per call"
    one = unit.removesuffix("s")
    if each < 0.95:
        return f"1 {one} in {1 / each:,.0f} calls"
    shown = f"{each:,.0f}" if abs(each - round(each)) < 0.05 else f"{each:,.1f}"
    return f"{shown} {one if shown == '1' else unit} per call"


def _units(found: Growth) -> str:
    return "KB" if found.unit == "KiB" else found.unit


def _details(leak: Leak) -> Iterator[str]:
    if leak.growth.grows_with:
        named = leak.growth.grows_with[:_MOST_NAMED]
        more = len(leak.growth.grows_with) - len(named)
        yield f"  grows with it: {', '.join(named)}{f' and {more} more' if more else ''}"
    if leak.holder is not None:
        yield f"  held by: {leak.holder.name}"
        if leak.holder.code:
            of = f" ({leak.holder.attribute})" if leak.holder.attribute else ""
            yield f"  kept at: {leak.holder.code}{of}"
            yield from _code(leak.holder.code_line)
    if leak.line is not None:
        yield f"  made at: {leak.line.code}"
        yield from _code(leak.line.code_line)
        if leak.line.called_from:
            yield f"  called from: {leak.line.called_from}"
            yield from _code(leak.line.caller_line)
    yield from (f"  note: {note}" for note in leak.notes)
    yield f"  to do: {_to_do(leak)}"


def _code(line: str) -> Iterator[str]:
    if line:
        yield f"      {line}"


def _to_do(leak: Leak) -> str:
    if leak.holder is not None:
        return _bounded(leak.holder)
    if not leak.collects:
        return "switch the garbage collector on again, or call gc.collect() now and then."
    if leak.line is not None:
        line = leak.line.called_from or leak.line.code
        if leak.growth.unit == "KiB":
            return f"give back what {line} takes: close or free it."
        return f"find what keeps a reference to what {line} makes."
    if leak.growth.kind == "native":
        return "no Python object grows: an extension module keeps it. Look for what is opened and not closed."
    return "find what keeps references to these objects: memwatch's recording of referrers shows them."


def _bounded(holder: Holder) -> str:
    name = holder.attribute or holder.name.partition(" (")[0]
    if "lru_cache" in holder.name:
        return f"give the cache of {name} a maxsize; do not cache methods by self."
    bound = next((e_g for kind, e_g in _BOUNDS.items() if f"({kind}, " in holder.name), "")
    return f"remove entries from {name} when they are over, or give it a bound{bound}."
