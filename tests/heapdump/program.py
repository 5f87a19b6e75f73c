"""A small program with planted objects that dumps its own heap, and says where they are."""

from __future__ import annotations

import collections
import functools
import gc
import json
import mmap
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from memwatch import dump_heap


class Ran:
    """The code of the program that ran, here or in a copy of the process: both write to the same memory."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 64 * 1024)

    def append(self, word: str) -> None:
        """Note it."""
        raw, at = word.encode() + b"\n", self._shared.find(b"\0")
        self._shared[at : at + len(raw)] = raw

    def clear(self) -> None:
        """Forget all."""
        self._shared[:] = bytes(len(self._shared))

    def words(self) -> list[str]:
        """All of it."""
        return self._shared[:].rstrip(b"\0").decode().splitlines()


RAN = Ran()


class Order:
    """Its attributes are kept without a dict."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.text = f"secret content {number}"
        self.nothing = None
        self.lines = [number]


class Slotted:
    """No dict at all."""

    __slots__ = ("__weakref__", "left", "right")

    def __init__(self) -> None:
        self.left, self.right = "a left one" * 3, ["right"]


class Registry(dict[str, Any]):
    """A dict with an attribute."""


class LyingMeta(type):
    """Its instances are classes that cannot be asked anything."""

    def __hash__(cls) -> int:
        RAN.append("hash")
        return 0

    def __getattribute__(cls, name: str) -> Any:
        RAN.append(f"metaclass {name}")
        return super().__getattribute__(name)


class Lying(metaclass=LyingMeta):
    """Code of the host's that must not run."""

    def __init__(self) -> None:
        self.kept = ["of the lying one"]

    def __sizeof__(self) -> int:
        RAN.append("sizeof")
        return 1 << 60

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        RAN.append("class")
        return int

    def __getattribute__(self, name: str) -> Any:
        RAN.append(name)
        return super().__getattribute__(name)

    def __len__(self) -> int:
        RAN.append("len")
        return 7

    def __del__(self) -> None:
        RAN.append("del")


class Word(str):
    """A text that is compared by code of the host's."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        RAN.append("compared")
        return str.__eq__(self, other)

    def __getitem__(self, index: Any) -> str:
        RAN.append("sliced")
        return str.__getitem__(self, index)


class Forgotten:
    """Only what a frame gave for ``locals()`` still refers to it."""

    def __del__(self) -> None:
        RAN.append("forgotten")


class Untracked:
    """Without a place for attributes, so that the collector does not track it."""

    __slots__ = ()

    def __del__(self) -> None:
        RAN.append("untracked")


@functools.lru_cache
def remembered(number: int) -> list[int]:
    """A cache of the standard library's."""
    return [number]


def enclosing(kept: list[str]) -> Callable[[], list[str]]:
    """A function with a cell."""
    return lambda: kept


class Planted:
    """Objects whose place in the dump is known."""

    def __init__(self) -> None:
        self.orders = [Order(number) for number in range(100)]
        self.with_dict = Order(7_000)
        self.of_dict = vars(self.with_dict)
        self.slotted = Slotted()
        self.by_key = {"shop.customer": Order(8_000), "customer": Order(8_001), ("a", 1): "by a tuple"}
        self.registry = Registry(first=Order(9_000))
        self.registry.owner = self.slotted  # type: ignore[attr-defined]
        self.queue = collections.deque([Order(9_100)])
        self.members = {"a member of a set": 1}.keys() | {"another member"}
        self.twice = ["".join(["equal ", "contents"]), "".join(["equal ", "contents"])]
        self.weak = weakref.ref(self.slotted)
        self.lying = Lying()
        self.enclosed = enclosing(["in a cell"])
        dunders = ("__del__", "__sizeof__", "__dict__")
        self.named_by_word = type("NamedByWord", (), {Word("a"): 1, **{Word(name): 1 for name in dunders}})()
        self.list_named_by_word = type("ListNamedByWord", (list,), {Word(name): 1 for name in dunders})([1])
        self.module = types.ModuleType("odd")
        vars(self.module).clear()
        vars(self.module).update({Word("__name__"): 1, Word("__file__"): 2})
        self.of_odd_file: dict[str, Any] = {}
        exec(compile("def named():\n yield", Word("odd.py"), "exec"), self.of_odd_file)
        self.of_odd_name = self.of_odd_file["named"].__code__.replace(co_qualname=Word("odd"))
        self.odd_generator = self.of_odd_file["named"]()
        next(self.odd_generator)
        self.forgetting = self.forgets()
        next(self.forgetting)
        self.suspended = self.generator()
        next(self.suspended)
        self.result = remembered(5)

    @staticmethod
    def forgets() -> Iterator[Any]:
        """Until Python 3.13 a frame keeps what it gave for its local variables, and renews it when it is asked."""
        last: Forgotten | None = Forgotten()
        locals()
        last = None
        untracked: Untracked | None = Untracked()
        locals()[Word("later")] = 1
        untracked, later = None, 2
        yield last
        yield untracked, later

    @staticmethod
    def generator() -> Iterator[int]:
        """Suspended, with a local variable."""
        of_generator = ["of the generator"]
        yield len(of_generator)


PLANTED = Planted()


def facts() -> dict[str, Any]:
    """Ids by a path of attributes and numbers, and what Python says of sizes."""
    order = PLANTED.orders[50]
    cell = (PLANTED.enclosed.__closure__ or ())[0]
    items = {
        "none": None,
        "order": order,
        "order.lines": order.lines,
        "order.text": order.text,
        "first order": PLANTED.orders[0],
        "orders": PLANTED.orders,
        "with_dict": PLANTED.with_dict,
        "with_dict.lines": PLANTED.with_dict.lines,
        "of_dict": PLANTED.of_dict,
        "slotted": PLANTED.slotted,
        "slotted.right": PLANTED.slotted.right,
        "by_key": PLANTED.by_key,
        "by_key customer": PLANTED.by_key["customer"],
        "registry": PLANTED.registry,
        "queue": PLANTED.queue,
        "members": PLANTED.members,
        "twice 0": PLANTED.twice[0],
        "twice 1": PLANTED.twice[1],
        "weak": PLANTED.weak,
        "lying": PLANTED.lying,
        "enclosed": PLANTED.enclosed,
        "cell": cell,
        "kept": PLANTED.enclosed(),
        "suspended": PLANTED.suspended,
        "remembered": remembered,
        "Order": Order,
        "RAN": RAN,
        "globals": globals(),
    }
    measured = ("orders", "by_key", "twice 0", "queue", "members", "Order", "slotted")
    return {
        "ids": {name: id(item) for name, item in items.items()},
        "sizes": {name: sys.getsizeof(items[name]) for name in measured},
        "entries": {
            "orders": list(map(id, PLANTED.orders)),
            "queue": list(map(id, PLANTED.queue)),
            "members": list(map(id, PLANTED.members)),
            "keys": list(map(id, PLANTED.by_key)),
            "values": list(map(id, PLANTED.by_key.values())),
            "registry": list(map(id, PLANTED.registry.values())),
        },
    }


def main(file: str, *words: str) -> None:
    """Dump to ``file``; what is planted goes to standard output."""
    found = facts()
    if "freeze" in words:
        gc.freeze()
    stop, started = threading.Event(), threading.Barrier(201)

    def wait() -> None:
        of_thread = ["of a thread"]
        started.wait()
        stop.wait()
        of_thread.clear()

    threads = [threading.Thread(target=wait, name=f"waits-{number}") for number in range(200)]
    if "threads" in words:
        for thread in threads:
            thread.start()
        started.wait()
    forgotten: Any = (Untracked(), Forgotten())
    untracked: Any = Untracked()
    locals()
    forgotten = untracked = None
    sys.modules["odd"] = PLANTED.module
    RAN.clear()
    of_frame = ["of the frame", forgotten, untracked]
    found["ids"]["of_frame"] = id(of_frame)
    try:
        written = dump_heap(file, keys="keys" in words)
    finally:
        stop.set()
    found["objects"] = written.objects
    found["ran"], found["frozen"] = RAN.words(), gc.get_freeze_count()
    Path(f"{file}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
