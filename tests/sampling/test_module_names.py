"""Names of module-level objects: the same by the compiled walk and without, and no page is copied for them."""

from __future__ import annotations

import subprocess
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
def test_names_and_modules_of_other_types_are_left_out(
    made: list[ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
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


FORKED = """
import gc, os, sys
from types import ModuleType
from memwatch.sampling.module_names import module_level_names

for number in range(10):
    module = sys.modules[f"made_{number}"] = ModuleType(f"made_{number}")
    vars(module).update((f"name_{i}", [i]) for i in range(10_000))

def copied_kb():
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))

module_level_names([1])
gc.freeze()
child = os.fork()
if child == 0:
    before = copied_kb()
    names = module_level_names([id(sys.modules["made_3"].name_7)])
    print(list(names.values()), copied_kb() - before, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="smaps_rollup is Linux")
def test_a_forked_worker_keeps_sharing_the_values_of_modules() -> None:
    """100,000 lists take 7 MB: a reference to each, for a moment, copies them all."""
    need_walk()
    done = subprocess.run([sys.executable, "-c", FORKED], check=True, capture_output=True, text=True, timeout=60)
    name, kb = done.stdout.rsplit(" ", 1)
    assert name == "['made_3.name_7']"
    assert int(kb) < 1_000
