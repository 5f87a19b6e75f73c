"""Which leaks and which harmless growth are on: one small file, the same for all workers of the shop."""

from __future__ import annotations

import json
import os

from django.conf import settings

NAMES = {
    "quotes": "leak: PriceQuote kept by request id",
    "receivers": "leak: AuditReceiver connected for each request",
    "customers": "leak: lru_cache on Customer.discount",
    "fragments": "leak: rendered HTML kept in a list",
    "thumbnails": "harmless: a bounded cache that warms up",
    "batch": "harmless: ImportRow collected and let go",
    "pool": "harmless: a pool that fills",
}

_FILE = settings.VAR_DIR / "shop-switches.json"
_seen: tuple[int, frozenset[str]] = (-1, frozenset())


def off() -> frozenset[str]:
    """The names that are switched off."""
    global _seen  # noqa: PLW0603 - read anew only when the file has changed
    try:
        changed = _FILE.stat().st_mtime_ns
    except FileNotFoundError:
        return frozenset()
    if changed != _seen[0]:
        _seen = (changed, frozenset(json.loads(_FILE.read_text())) & set(NAMES))
    return _seen[1]


def toggle(name: str) -> None:
    """Switch one on or off, for every worker."""
    draft = _FILE.with_name(f".{_FILE.name}.{os.getpid()}")
    draft.write_text(json.dumps(sorted(off() ^ {name})))
    draft.replace(_FILE)
