"""Which distributions this process can import from, read from the names in the folders of ``sys.path``, and how many
modules of each it has imported, counted by their names in ``sys.modules``.

``importlib.metadata`` asks the finders on ``sys.meta_path``, which may be the host's, and imports the standard
library's mail parser. The names of the folders that installers leave have the same answer: PEP 376 and PEP 427 put
name and version there.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from memwatch.records.distributions import (
    MAX_DISTRIBUTION_NAME,
    MAX_DISTRIBUTION_VERSION,
    MAX_DISTRIBUTIONS,
    MAX_PACKAGES,
    OTHERS,
    STANDARD_LIBRARY,
    Distribution,
    Inventory,
    Package,
)
from memwatch.sampling.procmem import read_bytes

MOST_FOLDERS = 50
"""Of ``sys.path``."""
MOST_NAMES = 20_000
"""In one folder."""
MOST_FOUND = 2_000
"""Distributions looked at; the imported ones come first among those reported."""
_HEAD_BYTES = 8_192
"""Of the list of a distribution's files, and of its metadata: its first modules and its version are there."""
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_VERSION = re.compile(r"\d[0-9A-Za-z.!+_-]*", re.ASCII)
_SEPARATORS = re.compile(r"[-_.]+")


def distributions(path: Iterable[str] | None = None, modules: Mapping[str, object] | None = None) -> list[Distribution]:
    """Those on ``path``, by name, at most ``MAX_DISTRIBUTIONS``; imported ones are kept first.

    Of two of one name the first on the path counts, as it does for imports. Arguments are for tests. Runs no code of
    the host: only exact ``str`` are taken, and no module is touched. About 50 µs for each distribution.
    """
    return list(inventory(path, modules).distributions)


def inventory(path: Iterable[str] | None = None, modules: Mapping[str, object] | None = None) -> Inventory:
    """The same with the packages that are imported, by name: at most ``MAX_PACKAGES``, and the others as one.

    A package belongs to the distribution whose first files are in it. A distribution with several packages may be named
    for one of them only.
    """
    loaded = _exact(modules if modules is not None else sys.modules)
    found: dict[str, Distribution] = {}
    roots: dict[str, str] = {}
    for folder in _folders(path):
        for entry in _metadata(folder):
            name, version = _name_and_version(folder, entry)
            if name and name not in found:
                imported = _roots(name, f"{folder}/{entry}", loaded)
                found[name] = Distribution(name, version, bool(imported))
                for root in imported:
                    roots.setdefault(root, name)
            if len(found) >= MOST_FOUND:
                break
    kept = sorted(found.values(), key=lambda each: (not each.imported, each.name))[:MAX_DISTRIBUTIONS]
    return Inventory(tuple(sorted(kept)), _packages(loaded, roots))


def _exact(modules: Mapping[str, object]) -> frozenset[str]:
    """The names alone; none where the host has put an object of its own in the place of ``sys.modules``."""
    if type(modules) is not dict:
        return frozenset()
    return frozenset([name for name in list(modules) if type(name) is str])


def _folders(path: Iterable[str] | None) -> list[str]:
    given = sys.path if path is None else path
    if type(given) is not list:
        return []
    folders = [folder or "." for folder in list(given) if type(folder) is str]
    return list(dict.fromkeys(folders))[:MOST_FOLDERS]


def _metadata(folder: str) -> Iterator[str]:
    """The entries that installers leave, in order of name."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MOST_NAMES)]
    except (OSError, ValueError):
        return
    yield from sorted(name for name in names if name.endswith((".dist-info", ".egg-info")))


def _name_and_version(folder: str, entry: str) -> tuple[str, str]:
    """Of the entry's name; an ``.egg-info`` of a checkout has its version inside. Empty where it is no such name."""
    stem, _, kind = entry.rpartition(".")
    name, _, version = stem.partition("-")
    if kind == "egg-info":
        version = re.sub(r"-py\d+(\.\d+)?(-.*)?$", "", version) or _version_inside(f"{folder}/{entry}/PKG-INFO")
    fits = len(name) <= MAX_DISTRIBUTION_NAME and len(version) <= MAX_DISTRIBUTION_VERSION
    if not fits or not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        return "", ""
    return _SEPARATORS.sub("-", name).lower(), version.replace("_", "-")


def _version_inside(path: str) -> str:
    head = (read_bytes(path, _HEAD_BYTES) or b"").decode(errors="replace")
    found = re.search(r"^Version: *(\S+)", head, re.MULTILINE)
    return found.group(1) if found else ""


def _roots(name: str, metadata: str, loaded: frozenset[str]) -> Sequence[str]:
    """Its highest packages that are imported: by its own name, else by the first modules in its list of files."""
    own = name.replace("-", "_")
    if own in loaded:
        return (own,)
    if metadata.endswith(".egg-info"):
        listed = (read_bytes(f"{metadata}/top_level.txt", _HEAD_BYTES) or b"").decode(errors="replace").split()
    else:
        head = (read_bytes(f"{metadata}/RECORD", _HEAD_BYTES) or b"").decode(errors="replace")
        listed = [_module_of(line) for line in head.split("\n")]
    highest: list[str] = []
    for module in sorted(loaded.intersection(listed)):
        if not any(module.startswith(f"{root}.") for root in highest):
            highest.append(module)
    return highest


def _packages(loaded: frozenset[str], roots: Mapping[str, str]) -> tuple[Package, ...]:
    """The modules by package; what belongs to no distribution by its first name."""
    counts: dict[str, int] = {}
    for module in loaded:
        root = _root_of(module, roots)
        counts[root] = counts.get(root, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [Package(name, modules, roots.get(name, "")) for name, modules in ranked[:MAX_PACKAGES]]
    others = sum([modules for _name, modules in ranked[MAX_PACKAGES:]])
    return tuple(sorted(kept) + ([Package(OTHERS, others)] if others else []))


def _root_of(module: str, roots: Mapping[str, str]) -> str:
    prefix = module
    while prefix not in roots:
        prefix, dot, _last = prefix.rpartition(".")
        if not dot:
            first = module.partition(".")[0]
            return STANDARD_LIBRARY if first in sys.stdlib_module_names else first[:MAX_DISTRIBUTION_NAME]
    return prefix


def _module_of(line: str) -> str:
    """The module of a line in the list of files, with its dots: ``yaml`` of ``yaml/__init__.py,sha256=…,12311``."""
    stem, dot, _suffix = line.partition(",")[0].partition(".")
    return stem.removesuffix("/__init__").replace("/", ".") if dot else ""
