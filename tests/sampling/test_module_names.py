"""Names of module-level objects: the same by the compiled walk and without, and no page is copied for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from memwatch.sampling import walk
from memwatch.sampling.module_names import module_level_names
from tests.sampling.ways import need_walk


@pytest.fixture(params=["compiled", "python"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "compiled":
        need_walk()
    else:
        monkeypatch.setattr(walk, "names", None)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ModuleType]]:
    """Two modules, in the order of ``sys.modules``."""
    modules = [ModuleType("made_first"), ModuleType("made_second")]
    for module in modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    yield modules
    for module in modules:
        vars(module).clear()


@pytest.mark.usefixtures("_way")
def test_an_object_has_the_name_of_its_module(made: list[ModuleType]) -> None:
    held, unnamed, text = [1], [2], "held as text"
    vars(made[1]).update({"HELD": held, "TEXT": text})
    names = module_level_names([id(unnamed), id(text), id(held)])
    assert names == {id(held): "made_second.HELD", id(text): "made_second.TEXT"}


@pytest.mark.usefixtures("_way")
def test_a_public_name_is_preferred(made: list[ModuleType]) -> None:
    held = [1]
    vars(made[0])["_held"] = held
    vars(made[1])["held"] = held
    assert module_level_names([id(held)]) == {id(held): "made_second.held"}


@pytest.mark.usefixtures("_way")
def test_names_and_modules_of_other_types_are_left_out(made: list[ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    class Text(str):
        __slots__ = ()

    class Lazy(ModuleType):
        """May run code of the program when its namespace is asked for."""

    held, lazy = [1], Lazy("made_lazy")
    vars(lazy)["HELD"] = held
    monkeypatch.setitem(sys.modules, "made_lazy", lazy)
    vars(made[0])[Text("NAME")] = held
    assert module_level_names([id(held)]) == {}


def test_what_are_no_addresses_is_refused() -> None:
    need_walk()
    assert walk.names is not None
    with pytest.raises(TypeError, match="addresses are bytes"):
        walk.names([1])  # type: ignore[arg-type]


def test_without_the_global_lock_no_value_of_a_module_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread could drop it meanwhile: its destructor would run in ours."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    monkeypatch.setattr(walk, "names", None)
    assert module_level_names([id(sys.path)]) == {}
