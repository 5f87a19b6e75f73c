"""The file of a heap dump: what stands in it, and how.

A file is ``MAGIC`` and then sections. Each section has a frame (``FRAME``, little-endian): its letter, the bytes it
takes in the file, the bytes it has unpacked, and the CRC-32 of these. It is packed with zlib. No section has more than
``MAX_SECTION`` bytes unpacked, so a file is written and read with little memory. The sections:

=====  ============================================================================================================
``H``  Header, the first section, once. A JSON object: ``format`` (``VERSION``), ``at`` (seconds since 1970), ``pid``,
       ``host``, ``service``, ``program``, ``python``, ``memwatch`` (texts), ``rss_mb``, ``keys`` (whether short
       identifiers that are keys of dicts are among the names). A reader ignores fields that it does not know.
``S``  Strings: U32 count, U32 column of lengths in bytes, then the UTF-8 texts one after the other. Strings are
       numbered over all sections in the order in which they come, from 0. A string comes before its number is used.
``T``  Types, numbered in the same way. U32 count; columns: qualified name (U32, string), module (U32, string), address
       of the class (D64), family (U8, ``Family``), flags (U8, ``TypeFlag``).
``O``  Objects. U32 count; columns: address (D64), type (U32), size in bytes with the collector's header (U64),
       flags (U8, ``Flag``), length (U32: entries of a container, characters of a text; ``NONE`` without one), hash
       (U64, of the contents of an exact str or bytes object: equal for equal contents in this dump; 0 for all others),
       references (U32: its reference count, without what the dump itself added; ``NONE``: not known or immortal),
       edges (U32: how many edges begin here). Should an address come twice, the first counts.
``E``  Edges of all objects, in the order of the objects, independent of where ``O`` sections end. U32 count; columns:
       address of the target (D64), kind (U8, ``Edge``), name (U32, string; ``NONE`` where it has none).
``N``  Names of objects that have one. U32 count; columns: address (D64), name (U32, string), place (U32, string: the
       file of its code; ``NONE``: not known), line (U32; ``NONE``). Of modules, classes, functions, code, generators
       and coroutines, and ``lru_cache`` wrappers (that of the wrapped function).
``R``  Roots. U32 count; columns: address (D64), kind (U8, ``Root``), name (U32, string), place (U32, string: the
       file of a frame or module), line (U32), thread (U32, string). ``NONE`` in what a kind does not have.
``Z``  End, the last section, once. A JSON object: counts of ``strings``, ``types``, ``objects``, ``edges``,
       ``names`` and ``roots``; ``checksum`` (CRC-32 of the frames of all sections before), ``seconds``, ``complete``
       (false: a limit was reached. Then edges may lead to objects that are not in the file, and what there was no
       room for is named ``…``), ``note`` (text).
=====  ============================================================================================================

A column has one number per row, stored by significance: the lowest byte of each row, then the next. ``D64`` stores the
signed difference from the row before (0 before the first of a section) in 64 bits.

Edges:

- An object refers to its class. That edge is not written: the table of types has the address of the class. It counts in
  the references of the class where that is a heap type (``TypeFlag.HEAP``).
- A dict has all its ``KEY`` edges first, then as many ``VALUE`` edges in the same order; these have names where the
  header says ``keys`` and the key is a short identifier. A dict that is a namespace has
  ``ATTRIBUTE`` (of an instance), ``CLASS_ATTRIBUTE`` or ``GLOBAL`` (of a module) edges with names instead of the
  ``VALUE`` edges, and no ``KEY`` edges but where a key is no text.
- A list, tuple or deque has an ``INDEX`` edge for each entry, in order; a set has ``MEMBER`` edges.
- An instance has a ``DICT`` edge to its ``__dict__`` if Python has made that; else ``ATTRIBUTE`` edges with names. From
  Python 3.13 on it always has the latter, and such a ``__dict__`` has no edges.
- A function's ``CELL`` edges have the names of its free variables. A cell has an ``OTHER`` edge to its content.
- A frame has ``LOCAL`` edges with names, ``STACK`` edges for what it is working on.
- A weak reference has a ``WEAK`` edge to what it refers to, which it does not keep alive.
- An edge may lead to an address that is no object of the file: a static class, or where the dump is not complete.

Roots are where reading begins: the namespaces (dicts) of the loaded modules, the frames of all threads, the
interpreter's own dicts and the static classes. A frame is an object, whose locals are its edges. An object that no root
leads to is held by C code if it has more references than edges lead to it; else it is garbage.

No contents are stored: names of attributes, variables, modules, classes, functions and files are.
"""

from __future__ import annotations

import enum
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable
from itertools import accumulate
from operator import sub

MAGIC = b"memwatchheap01\r\n"
VERSION = 1
FRAME = struct.Struct("<cIII")
COUNT = struct.Struct("<I")
MAX_SECTION = 4 * 1024 * 1024
"""Bytes of a section, unpacked."""
MAX_PACKED = MAX_SECTION + 4096
MAX_ROWS = 65_536
"""Of one section."""
MAX_STRING = 1_000
"""Bytes of a string."""
MAX_STRINGS, MAX_TYPES, MAX_OBJECTS, MAX_EDGES = 2_000_000, 500_000, 50_000_000, 400_000_000
"""Of a file."""
MAX_SIZE = 1 << 47
"""Bytes of an object: less than so many, and with its headers less than twice as many."""
NONE = 0xFFFF_FFFF


class HeapDumpError(Exception):
    """A heap dump cannot be read or written; the text says which part is wrong."""


class Section(bytes, enum.Enum):
    """The letter of a section."""

    HEADER = b"H"
    STRINGS = b"S"
    TYPES = b"T"
    OBJECTS = b"O"
    EDGES = b"E"
    NAMES = b"N"
    ROOTS = b"R"
    END = b"Z"


class Edge(enum.IntEnum):
    """How an object refers to another."""

    OTHER = 0
    ATTRIBUTE = 1
    KEY = 2
    VALUE = 3
    INDEX = 4
    MEMBER = 5
    CELL = 6
    LOCAL = 7
    STACK = 8
    WEAK = 9
    DICT = 10
    GLOBAL = 11
    CLASS_ATTRIBUTE = 12


class Root(enum.IntEnum):
    """Why an object is a root. The name: of the module, the function of the frame, the class, or what it is."""

    MODULE = 0
    FRAME = 1
    CLASS = 2
    INTERPRETER = 3


class Family(enum.IntEnum):
    """The built-in type that a type is or derives from."""

    OTHER = 0
    STR = 1
    BYTES = 2
    BYTEARRAY = 3
    INT = 4
    FLOAT = 5
    DICT = 6
    LIST = 7
    TUPLE = 8
    SET = 9
    FROZENSET = 10
    DEQUE = 11
    CLASS = 12
    MODULE = 13
    FUNCTION = 14
    METHOD = 15
    CELL = 16
    FRAME = 17
    TRACEBACK = 18
    GENERATOR = 19
    CODE = 20
    WEAK_REFERENCE = 21
    LRU_CACHE = 22


class TypeFlag(enum.IntFlag):
    """Of a type."""

    HEAP = 1
    """Made while the program ran: its instances count in its references."""
    COLLECTED = 2
    """Its instances have a header of the garbage collector's."""
    FINALIZER = 4
    """It has a ``__del__``."""
    OWN = 8
    """memwatch's own."""


class Flag(enum.IntFlag):
    """Of an object."""

    TRACKED = 1
    """By the garbage collector."""
    EXACT = 2
    """Of a built-in type itself, not of a class derived from one."""


_SIZES = {"B": 1, "I": 4, "Q": 8, "q": 8}
assert all(array(code).itemsize == size for code, size in _SIZES.items())  # noqa: S101 - as on every 64-bit system


def column(values: array[int]) -> bytes:
    """Numbers by significance: the lowest byte of each, then the next."""
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    raw, size = values.tobytes(), values.itemsize
    return raw if size == 1 else b"".join([raw[place::size] for place in range(size)])


def deltas(addresses: array[int]) -> bytes:
    """A ``D64`` column."""
    return column(array("q", map(sub, addresses, [0, *addresses[:-1]])))


class Columns:
    """The columns of an unpacked section, read one after the other."""

    def __init__(self, section: str, content: bytes) -> None:
        self.section = section
        self._content = content
        if len(content) < COUNT.size:
            raise HeapDumpError(f"{section}: it is cut off")
        (self.rows,) = COUNT.unpack_from(content)
        if self.rows > MAX_ROWS:
            raise HeapDumpError(f"{section}: {self.rows} rows are more than {MAX_ROWS}")
        self._at = COUNT.size

    def take(self, code: str) -> array[int]:
        """The next column: ``B``, ``I``, ``Q`` or, for a ``D64``, ``q`` (which gives addresses)."""
        size = _SIZES[code]
        raw = self.rest(self.rows * size)
        if size > 1:
            whole = bytearray(len(raw))
            for place in range(size):
                whole[place::size] = raw[place * self.rows : (place + 1) * self.rows]
            raw = bytes(whole)
        values = array(code)
        values.frombytes(raw)
        if sys.byteorder == "big":
            values.byteswap()
        if code != "q":
            return values
        try:
            return array("Q", accumulate(values))
        except OverflowError:
            raise HeapDumpError(f"{self.section}: an address is out of range") from None

    def rest(self, length: int) -> bytes:
        """The next bytes."""
        end = self._at + length
        if end > len(self._content):
            raise HeapDumpError(f"{self.section}: it is cut off")
        found = self._content[self._at : end]
        self._at = end
        return found

    def below(self, name: str, values: Iterable[int], limit: int, *, none: bool = False) -> None:
        """Raise where one is not under the limit (``none``: and is not ``NONE``)."""
        seen = set(values)
        if none:
            seen.discard(NONE)
        if seen and max(seen) >= limit:
            raise HeapDumpError(f"{self.section}: {name} {max(seen)} is not one of the {limit} known")

    def end(self) -> None:
        """Raise where something is left."""
        if self._at != len(self._content):
            raise HeapDumpError(f"{self.section}: {len(self._content) - self._at} bytes too many")


def checked(section: Section, content: bytes) -> None:
    """Raise where a section is too long."""
    if len(content) > MAX_SECTION:
        raise HeapDumpError(f"{section.name.lower()}: {len(content)} bytes are more than {MAX_SECTION}")


def packed(section: Section, content: bytes, *, level: int = 1) -> tuple[bytes, bytes]:
    """The frame of a section and its packed content."""
    checked(section, content)
    small = zlib.compress(content, level)
    return FRAME.pack(section.value, len(small), len(content), zlib.crc32(content)), small
