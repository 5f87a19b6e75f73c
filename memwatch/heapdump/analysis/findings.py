"""What to look at first, as sentences, the largest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memwatch.heapdump.sizes import count_text, size_text

LEAST_SHARE = 0.01
"""Of the heap: less is not worth a sentence."""
LEAST_OF_GROUP = 0.1
"""Of all equal texts: a smaller group is not worth a sentence."""
MOST = 20
_ONLY_BY = {
    "frames": "variables of running functions",
    "tracebacks": "tracebacks of exceptions that are kept",
    "closures": "variables of closures",
    "generators": "generators that have not ended",
}


def findings(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """JSON-ready: ``kind``, ``bytes`` and ``text``; of a holder also the ``type`` of what it keeps."""
    least = max(1, int(LEAST_SHARE * result["about"]["bytes"]))
    found: list[dict[str, Any]] = [{"kind": kind, "bytes": size, "text": text} for kind, size, text in _all(result)]
    found += _holders(result)
    return sorted((row for row in found if row["bytes"] >= least), key=lambda row: -row["bytes"])[:MOST]


def _all(result: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    duplicates = result["duplicates"]
    if duplicates["groups"]:
        most = duplicates["groups"][0]
        text = f"Equal texts exist more than once: one object for each would save {size_text(duplicates['saved'])}."
        if most["saved"] >= LEAST_OF_GROUP * duplicates["saved"]:
            text += (
                f" The largest group has {count_text(most['count'], most['type'])} and would save "
                f"{size_text(most['saved'])}; {most['holder']} keeps most of them."
            )
        yield "duplicates", duplicates["saved"], text
    held = result["held"]
    for name, words in _ONLY_BY.items():
        row = held["only_by"][name]
        yield name, row["bytes"], f"Only {words} keep {size_text(row['bytes'])} alive."
    for cache in held["caches"]:
        text = f"The lru_cache of {cache['function']} keeps {size_text(cache['retained'])}."
        yield "cache", cache["retained"], text
    garbage = held["garbage"]
    yield (
        "garbage",
        garbage["bytes"],
        f"{count_text(garbage['count'], 'object')} ({size_text(garbage['bytes'])}) wait for the garbage collector.",
    )
    containers = result["containers"]
    for name, words in (("empty", "are empty"), ("over_allocated", "have room for entries that they do not have")):
        for row in containers[name][:3]:
            text = f"{count_text(row['count'], row['type'])} {words}: {size_text(row['bytes'])}."
            yield name, row["bytes"], text
    for row in containers["instance_dicts"][:3]:
        text = f"__slots__ in {row['type']} would save about {size_text(row['saved'])}."
        yield "instance_dicts", row["saved"], text


def _holders(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Holders of many objects, each once: with the type of which they hold most, the program's own types first."""
    best: dict[str, tuple[bool, int, str, str]] = {}
    for paths in result["paths"].values():
        for group in paths["groups"]:
            if group["count"] < 2 or not group["own"]:
                continue
            size = max(group["retained"], group["size"])
            text = (
                f"{group['holder']} keeps {count_text(group['count'], paths['type'])}, "
                f"with what they refer to {size_text(size)}."
            )
            found = (paths["own"], size, text, paths["type"])
            best[group["holder"]] = max(found, best.get(group["holder"], found))
    for _own, size, text, name in best.values():
        yield {"kind": "holder", "bytes": size, "text": text, "type": name}
