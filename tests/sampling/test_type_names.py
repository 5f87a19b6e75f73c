"""Names of types, read from the types themselves."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from memwatch.sampling.type_names import MAX_NAME, TypeNames, clean, type_name


def test_names_are_module_and_qualified_name() -> None:
    from collections import OrderedDict, deque

    class Local:
        pass

    assert type_name(dict) == "dict"
    assert type_name(deque) == "collections.deque"
    assert type_name(OrderedDict) == "collections.OrderedDict"
    assert type_name(Local).endswith("test_type_names.test_names_are_module_and_qualified_name.<locals>.Local")
    assert type_name(Local).startswith(__name__)


def test_an_odd_name_imports_nothing() -> None:
    code = (
        "import sys; from memwatch.sampling.type_names import clean; before = set(sys.modules); "
        "print(clean('a\\nb'), *set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "a\\nb\n"


def test_what_a_class_hides_is_a_question_mark() -> None:
    assert type_name(type("Odd", (), {"__module__": 7})) == "?.Odd"
    assert type_name(type("Odd", (), {"__module__": None, "__qualname__": "A.B"})) == "?.A.B"


def test_no_metaclass_property_or_text_of_the_host_is_asked() -> None:
    called: list[str] = []

    class Text(str):
        def __str__(self) -> str:
            called.append("str")
            return "x"

        __repr__ = __format__ = __str__  # type: ignore[assignment]

        def __len__(self) -> int:
            called.append("len")
            return 1

        def __hash__(self) -> int:
            called.append("hash")
            return 1

    class Meta(type):
        @property
        def __module__(cls) -> str:  # type: ignore[override]
            called.append("module")
            raise RuntimeError

        def __getattribute__(cls, name: str) -> Any:
            called.append(name)
            raise RuntimeError

        def __hash__(cls) -> int:
            called.append("class hash")
            return 3

        def __eq__(cls, other: object) -> bool:
            called.append("class eq")
            return True

    hostile = Meta("Hostile", (), {"__module__": Text("some.module"), "__qualname__": "Hostile"})
    called.clear()
    assert type_name(hostile) == "some.module.Hostile"
    names = TypeNames()
    names.forget_dead()
    names.learn([hostile, hostile])
    assert names.of([hostile]) == ["some.module.Hostile"]
    assert called == []


def test_control_characters_are_escaped_and_length_is_capped() -> None:
    assert clean("a\x00b\nc") == "a\\x00b\\nc"
    assert clean("größe") == "größe"
    assert clean("\ud800") == "\\ud800"
    assert len(clean("x" * 5000)) == MAX_NAME


@given(st.text(max_size=400) | st.text(st.characters(categories=["Cc", "Cs", "Lu"]), max_size=400))
def test_a_clean_name_is_printable_bounded_and_can_be_stored(name: str) -> None:
    shown = clean(name)
    assert shown.isprintable()
    assert len(shown) <= MAX_NAME
    json.dumps(shown).encode()
    shown.encode("utf-8")
    assert "\x00" not in shown
    if name.isprintable() and len(name) <= MAX_NAME:
        assert shown == name


def test_a_class_that_died_gives_its_address_no_name() -> None:
    names = TypeNames()
    mortal = type("Mortal", (), {})
    key = id(mortal)
    names.learn([mortal])
    assert names[key].endswith(".Mortal")
    del mortal
    gc.collect()
    names.forget_dead()
    assert names.of([]) == []
    assert len(names) == 0
    for number in range(200):  # sooner or later one of them has the address
        successor = type(f"Successor{number}", (), {})
        names.forget_dead()
        names.learn([successor])
        assert names.of([successor])[0].endswith(f"Successor{number}")
        if id(successor) == key:
            break


def test_remembering_a_class_does_not_keep_it_alive() -> None:
    import weakref

    names = TypeNames()
    mortal = type("Mortal", (), {})
    alive = weakref.ref(mortal)
    names.learn([mortal])
    del mortal
    gc.collect()
    assert alive() is None
