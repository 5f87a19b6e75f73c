"""Reading what an object of the host holds without running a line of the host's code.

Every access goes through a descriptor that is written in C and found in the namespaces of the object's classes; a
property, a ``__getattr__`` or a metaclass of the host's is never asked.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import compress, islice
from types import FunctionType, GetSetDescriptorType, MappingProxyType, MemberDescriptorType, ModuleType
from typing import Any

from memwatch.diagnosis import sensitive
from memwatch.sampling.atomic import late, uninterrupted
from memwatch.sampling.redaction import HIDDEN
from memwatch.sampling.type_names import clean, module_and_qualname, type_name

mro_of = type.__dict__["__mro__"].__get__
namespace_of = type.__dict__["__dict__"].__get__
module_dict_of = vars(ModuleType)["__dict__"].__get__
_flags_of = type.__dict__["__flags__"].__get__
_HEAP_TYPE = 1 << 9
_code_of = FunctionType.__dict__["__code__"].__get__
_function_module_of = FunctionType.__dict__["__module__"].__get__
_function_qualname_of = FunctionType.__dict__["__qualname__"].__get__

_LENGTHS: tuple[tuple[type, Any], ...] = (
    (dict, dict.__len__),
    (list, list.__len__),
    (tuple, tuple.__len__),
    (set, set.__len__),
    (frozenset, frozenset.__len__),
    (deque, deque.__len__),
    (bytearray, bytearray.__len__),
)
"""Called on the object itself, so that an overriding ``__len__`` of a subclass is not."""

AT_ONCE = 100_000
"""Entries of a container that are gone through in one C call: between two of them other threads may run."""
MAX_SHOWN = 80
MAX_BYTES = 2_000
_OF_TEXTS = {id(str)}
_SHOWN: tuple[type, ...] = (str, bytes, int, float, bool, type(None), complex)


_INTERNED = sys.intern("memwatch: in no other dict than the table of interned strings")


def is_interned_table(item: Any) -> bool:
    """Whether it is the interpreter's table of interned strings, which keeps none of them alive.

    From Python 3.14 on the collector sees it.
    """
    if sys.version_info < (3, 14) or type(item) is not dict:
        return False
    try:
        first = next(iter(item), None)
        return type(first) is str and item[first] is first and _INTERNED in item
    except (RuntimeError, KeyError):  # another thread has changed it
        return False


def entry(namespace: Any, name: str) -> Any:
    """The value of a name in a dict or in the namespace of a class; ``None`` where it is not there.

    Looked up, the name would be compared with a key of a class of the host's that has the same hash: by its ``__eq__``.
    """
    of: Any = MappingProxyType if type(namespace) is MappingProxyType else dict
    if set(map(id, map(type, of.keys(namespace)))) <= _OF_TEXTS:
        return of.get(namespace, name)
    entries = list(of.items(namespace))
    return next((value for key, value in entries if type(key) is str and key == name), None)


def base_of(of: type) -> type | None:
    """The built-in container that a type is or derives from."""
    order = mro_of(of)
    return next((base for base, _ in _LENGTHS if any(base is item for item in order)), None)


def length_reader(kind: type) -> Any | None:
    """What gives the entries of an object of the class, where it is a built-in container or derived from one."""
    order = mro_of(kind)
    return next((length_of for base, length_of in _LENGTHS if any(base is each for each in order)), None)


def length(item: Any) -> int | None:
    """The entries of a built-in container or of an object of a class derived from one; else ``None``."""
    read = length_reader(type(item))
    return None if read is None else int(read(item))


def entries_of(item: Any, base: Any) -> Iterator[Any]:
    """The entries (keys) of a container, by the built-in class that it is or derives from."""
    return late(base.__iter__, item)


def instance_dict(item: Any) -> dict[str, Any] | None:
    """The instance's ``__dict__`` where it is an ordinary one; made by this where Python had not yet needed one."""
    for base in mro_of(type(item)):
        found = entry(namespace_of(base), "__dict__")
        if found is not None:
            if type(found) is not GetSetDescriptorType or base is type:
                return None
            namespace = found.__get__(item)
            return namespace if type(namespace) is dict else None
    return None


def slots(item: Any) -> Iterator[tuple[str, Any]]:
    """The set slots of an object, by name."""
    for base in mro_of(type(item)):
        for name, found in list(namespace_of(base).items()):
            if type(found) is MemberDescriptorType and type(name) is str and not name.startswith("__"):
                try:
                    yield name, found.__get__(item)
                except (AttributeError, TypeError, SystemError):
                    continue


def attribute(item: Any, name: str) -> Any:
    """The instance's own attribute, ``None`` where it has none: no property, no class attribute."""
    for slot, value in slots(item):
        if slot == name:
            return value
    return entry(instance_dict(item) or {}, name)


def keys_of(namespace: dict[Any, Any], wanted: frozenset[int]) -> list[tuple[Any, int]]:
    """``(key, id of the value)`` of the entries whose value is wanted, ``AT_ONCE`` entries within one C call."""
    found: list[tuple[Any, int]] = []
    for start in range(0, dict.__len__(namespace), AT_ONCE):

        def stretch(read: Any, start: int = start) -> Iterator[Any]:
            return islice(late(read, namespace), start, start + AT_ONCE)

        is_wanted = map(wanted.__contains__, map(id, stretch(dict.values)))
        found += compress(zip(stretch(dict.keys), map(id, stretch(dict.values)), strict=False), is_wanted)
    return found


def ids_in(item: Any, base: Any, wanted: frozenset[int]) -> list[int]:
    """The ids of those entries (keys) of a container that are wanted, ``AT_ONCE`` entries within one C call."""
    found: list[int] = []
    for start in range(0, length(item) or 0, AT_ONCE):
        entries = islice(entries_of(item, base), start, start + AT_ONCE)
        uninterrupted([partial(found.extend, filter(wanted.__contains__, map(id, entries)))])
        del entries
    return found


def referred_to(item: Any, wanted: frozenset[int]) -> list[int]:
    """The ids of those that an object refers to and that are wanted."""
    found: list[int] = []
    uninterrupted([partial(found.extend, filter(wanted.__contains__, map(id, late(gc.get_referents, item))))])
    return found


def function_name(function: FunctionType) -> str:
    """``module.QualName`` of a function."""
    module, qualname = _function_module_of(function), _function_qualname_of(function)
    name = qualname if type(qualname) is str else "?"
    return clean(f"{module}.{name}") if type(module) is str else clean(name)


def code_of(function: FunctionType) -> Any:
    """A function's code object."""
    return _code_of(function)


def is_class(item: Any) -> bool:
    """Whether it is a class; its metaclass is not asked."""
    return any(each is type for each in mro_of(type(item)))


def found_by_name(of: type) -> bool:
    """Whether its module leads to it under its own name. A class that a function made is held by something else."""
    if not _flags_of(of) & _HEAP_TYPE:
        return True
    module_name, qualname = module_and_qualname(of)
    module = entry(sys.modules, module_name)
    found: Any = None
    namespace = module_dict_of(module) if type(module) is ModuleType else {}
    for part in qualname.split("."):
        found = entry(namespace, part)
        namespace = namespace_of(found) if is_class(found) else {}
    return found is of


def shown(value: Any) -> str | None:
    """The text of a value of an exact built-in type, cut, without what looks secret; ``None`` for all others."""
    kind = type(value)
    if not any(kind is plain for plain in _SHOWN):
        return None
    if kind is int and (large := sensitive.number(value)):
        return large
    if kind is bytes and (raw := sensitive.no_text(value[:MAX_BYTES])):
        return raw
    if kind is str:
        value = sensitive.without_secrets(value)
    elif kind is bytes:
        value = sensitive.without_secrets(value[:MAX_BYTES].decode("latin-1")).encode("latin-1")
    text = repr(value[:MAX_SHOWN] if kind in (str, bytes) else value)
    return clean(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…")


def own_values(item: Any, of: str, *, most: int = 12) -> dict[str, str]:
    """Attributes or first entries whose values are of built-in types, as texts without secrets.

    Nothing of an object that is not of the type called ``of`` (any more), or is of one that may hold secrets.
    """
    found: dict[str, str] = {}
    if not sensitive.may_show(item, of):
        return found
    base = base_of(type(item))
    named: Iterable[tuple[Any, Any]]
    if base is dict:
        named = [(shown(key) or "a key", value) for key, value in _first(dict.items(item), most)]
    elif base is not None:
        named = [(str(index), value) for index, value in enumerate(_first(entries_of(item, base), most))]
    else:
        named = [*slots(item), *_first(dict.items(instance_dict(item) or {}), most)]
    for name, value in named:
        text = shown(value)
        if text is not None and type(name) is str and len(found) < most:
            found[clean(name)] = HIDDEN if sensitive.is_secret(name) else text
    return found


def _first(items: Iterable[Any], most: int) -> list[Any]:
    """The first of ``items``; nothing where they changed at that moment."""
    try:
        return [item for item, _ in zip(items, range(most), strict=False)]
    except RuntimeError:
        return []


def described(item: Any) -> str:
    """The type of an object, with the number of its entries where it is a container."""
    entries = length(item)
    name = type_name(type(item))
    return name if entries is None else f"{name}, {counted(entries)}"


def counted(entries: int) -> str:
    """``1 entry``, ``20,001 entries``."""
    return "1 entry" if entries == 1 else f"{entries:,} entries"
