"""Names of types, read from the types themselves."""

from __future__ import annotations

from _codecs import unicode_escape_encode as _escaped
from collections.abc import Iterable, Sequence
from itertools import compress, repeat
from operator import call, is_
from typing import Any
from weakref import ref

MAX_NAME = 300
UNKNOWN = "?"

_module_of = type.__dict__["__module__"].__get__
_qualname_of = type.__dict__["__qualname__"].__get__
_flags_of = type.__dict__["__flags__"].__get__
_HEAP_TYPE = 1 << 9


def clean(name: str) -> str:
    """``name`` without control characters, NUL and lone surrogates (escaped), at most 300 characters."""
    if type(name) is not str:
        name = "".join((name,))  # a class of the host's has slicing of its own
    name = name[: MAX_NAME + 1]
    if not name.isprintable():
        name = "".join(
            character if character.isprintable() else _escaped(character)[0].decode("ascii") for character in name
        )
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def _text(read: Any, of: type) -> str:
    """What the descriptor ``read`` gives for a type, ``?`` where that is no text.

    ``join`` takes and releases the value within one C call, copies a subclass of ``str`` to a plain one without
    asking it, and refuses everything else without looking at it.
    """
    try:
        return "".join(map(read, (of,)))
    except (AttributeError, TypeError):
        return UNKNOWN


def module_and_qualname(of: type) -> tuple[str, str]:
    """As the class has them, ``?`` for what it hides."""
    return _text(_module_of, of), _text(_qualname_of, of)


def type_name(of: type) -> str:
    """``module.QualName``, ``dict`` for ``builtins.dict``; ``?`` for a part that the class hides.

    Reads through ``type``'s own descriptors, so that no metaclass is asked.
    """
    module, qualname = module_and_qualname(of)
    return clean(qualname if module == "builtins" else f"{module}.{qualname}")


class TypeNames:
    """Names by ``id`` of the type, remembered from census to census.

    An id names one class only while that class lives, so a weak reference is kept beside each name; what has died is
    forgotten before its id can be read again. (Every class has its one plain weak reference already, in its bases'
    list of subclasses: this shares it.) Classes are held while they are named: that is harmless, for a class
    refers to itself through its method resolution order, so only the collector ever frees it.
    """

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._refs: dict[int, ref[type]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, key: int) -> str:
        return self._names[key]

    def forget_dead(self) -> None:
        """Forget what has died. Hold every type that you look up from before this call."""
        for key in list(compress(self._refs, map(is_, map(call, self._refs.values()), repeat(None)))):
            del self._refs[key], self._names[key]

    def learn(self, types: Sequence[type]) -> None:
        """Name those of ``types`` that are new."""
        for key, of in dict(zip(map(id, types), types, strict=True)).items():
            if key not in self._names:
                if _flags_of(of) & _HEAP_TYPE:
                    self._refs[key] = ref(of)
                self._names[key] = type_name(of)

    def of(self, types: Iterable[type]) -> list[str]:
        """The names of ``types``, which the caller holds."""
        return [self._names.get(id(item)) or type_name(item) for item in types]

    def own_containers(self) -> tuple[int, ...]:
        """Ids of this object's containers, which no census should report."""
        return (id(self._names), id(self._refs))
