"""What is said and written: failures, the baseline, annotations, the summary of a suite."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from memwatch.pytest_plugin import github, sentences
from memwatch.pytest_plugin.findings import Growth, Holder, Leak, Line
from memwatch.pytest_plugin.noted import CALLS, KNOWN, UNDECIDED, Note
from memwatch.pytest_plugin.ratchet import Ratchet, parsed, written
from memwatch.pytest_plugin.suite import Kept, report

GROWTH = Growth(kind="objects", type="shop.Entry", unit="objects", grown=120, calls=120, grows_with=("dict",))
LEAK = Leak(
    growth=GROWTH,
    holder=Holder(
        name="shop.leaks.TRAIL (list, 1,240 entries)",
        attribute="AuditTrail.trail",
        code="shop/leaks.py:41",
        code_line="self.trail.append(entry)",
    ),
    line=Line(
        code="lib/site-packages/orm/base.py:7",
        code_line="return cls()",
        called_from="shop/views.py:12",
        caller_line="Entry.make()",
    ),
)


def test_a_failure_reads_like_an_answer() -> None:
    assert sentences.failure("test_orders", [LEAK]).splitlines()[:9] == [
        "test_orders leaks shop.Entry: 1 object per call (120 objects in 120 calls, counted after full collections)",
        "  grows with it: dict",
        "  held by: shop.leaks.TRAIL (list, 1,240 entries)",
        "  kept at: shop/leaks.py:41 (AuditTrail.trail)",
        "      self.trail.append(entry)",
        "  made at: lib/site-packages/orm/base.py:7",
        "      return cls()",
        "  called from: shop/views.py:12",
        "      Entry.make()",
    ]
    assert "remove entries from AuditTrail.trail" in sentences.failure("test_orders", [LEAK])


def test_no_holder_is_stated_that_is_not_proven() -> None:
    text = sentences.failure("test_orders", [Leak(growth=GROWTH)])
    assert "held by" not in text
    assert "kept at" not in text


def test_what_stays_because_the_collector_is_off_says_so() -> None:
    text = sentences.failure("test_orders", [dataclasses.replace(LEAK, holder=None, collects=False)])
    assert "full collections" not in text
    assert "  to do: switch the garbage collector on again" in text


def test_memory_that_is_mapped_is_told_from_the_c_librarys() -> None:
    native = Growth(kind="native", type="native", unit="KiB", grown=1_920, calls=120)
    assert sentences.growth(native) == "memory outside Python's objects: 16.0 KB per call (1,920 KB in 120 calls)"
    mapped = sentences.growth(dataclasses.replace(native, memory="mapped"))
    assert mapped.startswith("memory that a library maps for itself, outside Python's objects: 16.0 KB per call")


@pytest.mark.parametrize(
    ("grown", "calls", "unit", "said"),
    [
        (120, 120, "objects", "1 object per call"),
        (240, 120, "blocks", "2 blocks per call"),
        (150, 100, "objects", "1.5 objects per call"),
        (100, 4_000, "objects", "1 object in 40 calls"),
        (240, 120, "KiB", "2.0 KB per call"),
        (12, 120, "KiB", "102 bytes per call"),
    ],
)
def test_rates_are_said_as_people_say_them(grown: int, calls: int, unit: str, said: str) -> None:
    assert sentences.rate(Growth(kind="objects", type="x", unit=unit, grown=grown, calls=calls)) == said


def test_the_place_to_look_at_first_is_the_programs_own() -> None:
    assert LEAK.where == "shop/leaks.py:41"
    assert Leak(growth=GROWTH, line=LEAK.line).where == "shop/views.py:12"
    assert Leak(growth=GROWTH).where == ""


def ratchet(file: Path, *, writes: bool = False) -> Ratchet:
    return Ratchet(file, parsed(file.read_text()) if file.exists() else {}, writes=writes)


def noted(test: str, *leaks: Leak) -> list[Note]:
    import json

    return [Note(test, CALLS, "250"), *(Note(test, KNOWN, json.dumps(leak.to_dict())) for leak in leaks)]


def test_a_baseline_lets_known_leaks_pass_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "leaks.toml"
    writing = ratchet(file, writes=True)
    writing.finish(noted("tests/test_shop.py::test_a", LEAK))
    assert list(writing.lines()) == [f"1 known leak written to {file}"]
    reading = ratchet(file)
    assert reading.knows("tests/test_shop.py::test_a", LEAK)
    assert not reading.knows("tests/test_shop.py::test_b", LEAK)
    faster = Leak(growth=Growth(kind="objects", type="shop.Entry", unit="objects", grown=240, calls=120))
    assert not reading.knows("tests/test_shop.py::test_a", faster)


def test_a_fixed_leak_must_leave_the_baseline_once_its_test_has_run(tmp_path: Path) -> None:
    file = tmp_path / "leaks.toml"
    ratchet(file, writes=True).finish([*noted("test_a", LEAK), *noted("test_b", LEAK)])
    partly = ratchet(file)
    partly.finish(noted("test_a", LEAK))  # test_b did not run
    assert partly.fixed == []
    unsure = ratchet(file)
    unsure.finish([*noted("test_a"), Note("test_a", UNDECIDED, "too slow")])
    assert unsure.fixed == []
    reading = ratchet(file)
    reading.finish([*noted("test_a"), *noted("test_b", LEAK)])
    assert reading.fixed == [("test_a", "shop.Entry")]
    ratchet(file, writes=True).finish(noted("test_a"))
    assert list(parsed(file.read_text())) == [("test_b", "shop.Entry")]


def test_a_baseline_keeps_names_with_quotes_and_other_letters() -> None:
    entry = {"test": 'test_a["x\\y"-ü]', "type": "shop.Entry", "per_call": 0.5, "unit": "objects", "where": ""}
    assert parsed(written({(entry["test"], "shop.Entry"): entry})) == {(entry["test"], "shop.Entry"): entry}  # type: ignore[dict-item]


@pytest.mark.parametrize("text", ["[[leak]]\ntest = 1", '[[leak]]\ntest = "a"\ntype = "b"', "leak = [1]", "x ="])
def test_a_file_that_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"entry 1|[Ii]nvalid"):
        parsed(text)


def test_github_gets_an_annotation_beside_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "leaks.py").touch()
    leaks = [("tests/test_shop.py::test_a", LEAK.to_dict())]
    assert list(github.lines(leaks, {})) == []
    (line,) = github.lines(leaks, {"GITHUB_ACTIONS": "true"})
    assert line.startswith("::error file=shop/leaks.py,line=41,title=Memory leak::tests/test_shop.py::test_a leaks ")
    (elsewhere,) = github.lines(
        [("tests/test_shop.py::test_a", {**LEAK.to_dict(), "where": ""})], {"GITHUB_ACTIONS": "true"}
    )
    assert elsewhere.startswith("::error file=tests/test_shop.py,line=1,")


def test_a_suite_is_told_by_what_its_tests_keep_most_first() -> None:
    kept = Kept(blocks=40, modules=0, collected=0)
    tests = [(f"test_{number}", kept) for number in range(9)]
    tests += [("test_big", Kept.read("9000 3 1 2"))]
    lines = list(report(tests, {"shop.Entry": 500, "dict": 3}))
    assert lines[0].startswith("11 tests kept 9,360 blocks of memory")
    assert [line for line in lines if "test_" in line] == ["       9,000        3  test_big and the 1 before it"]
    assert lines[-1] == "objects that came and stayed: 500 shop.Entry"
    assert list(report([], {})) == []


def test_the_first_place_to_look_at_is_where_it_is_added_else_the_programs_own_line() -> None:
    def where(**holder: bool) -> str:
        return dataclasses.replace(LEAK, holder=dataclasses.replace(LEAK.holder, **holder)).where

    assert where() == "shop/leaks.py:41"
    assert where(adds=False) == "shop/views.py:12", "a line that only names what leads to it proves nothing"
    assert where(own_code=False) == "shop/views.py:12"
    assert dataclasses.replace(LEAK, line=None).where == "shop/leaks.py:41"
    assert dataclasses.replace(LEAK, holder=None, line=None).where == ""
