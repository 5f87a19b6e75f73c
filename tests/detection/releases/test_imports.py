"""What a release imports, and how much of the growth at birth follows from it."""

from __future__ import annotations

import pytest

from memwatch.detection.releases.imports import (
    BY_MODULES,
    BY_VERSION,
    MOST_MB_A_MODULE,
    Imported,
    explain,
    explanation,
    package_changes,
)

BEFORE = {"django": Imported(600.0, "django"), "shop": Imported(40.0), "(standard library)": Imported(300.0)}
VERSIONS = {"django": ("5.2",), "celery": ("5.4",)}


def test_nothing_changed() -> None:
    late = {**BEFORE, "django": Imported(604.0, "django")}  # some were imported later
    assert explanation(BEFORE, late, (VERSIONS, VERSIONS), 2.0).packages == []


def test_a_new_dependency_takes_what_its_modules_explain() -> None:
    after = {**BEFORE, "ddtrace": Imported(977.0, "ddtrace"), "shop": Imported(60.0)}
    found = explanation(BEFORE, after, (VERSIONS, {**VERSIONS, "ddtrace": ("4.1",)}), 150.0)
    assert [(each.name, each.version_after, each.modules) for each in found.packages] == [
        ("ddtrace", "4.1", 977.0),
        ("shop", "", 20.0),
    ]
    first, second = found.packages
    assert first.mb == pytest.approx(150 * 977 / 997)
    assert (first.basis, second.basis) == (BY_MODULES, BY_MODULES)
    assert found.unexplained_mb == pytest.approx(0.0, abs=1e-9)
    assert (found.modules_before, found.modules_after) == (940.0, 1937.0)


def test_the_data_of_the_only_other_version_take_the_rest() -> None:
    after = {**BEFORE, "shop": Imported(45.0)}
    found = explanation(BEFORE, after, (VERSIONS, {**VERSIONS, "django": ("6.0",)}), 100.0)
    assert [(each.name, each.mb, each.basis) for each in found.packages] == [
        ("django", 100.0 - 5 * MOST_MB_A_MODULE, BY_VERSION),
        ("shop", 5 * MOST_MB_A_MODULE, BY_MODULES),
    ]


def test_among_several_other_versions_none_is_blamed_without_modules() -> None:
    before, after = {"a": ("1",), "b": ("1",)}, {"a": ("2",), "b": ("2",)}
    modules = {"a": Imported(10.0, "a"), "b": Imported(10.0, "b")}
    found = explanation(modules, modules, (before, after), 100.0)
    assert [each.mb for each in found.packages] == [None, None]
    assert found.unexplained_mb == 100.0


def test_what_is_installed_and_not_imported_explains_nothing() -> None:
    found = explanation(BEFORE, BEFORE, (VERSIONS, {**VERSIONS, "celery": ("5.6",)}), 100.0)
    assert [(each.name, each.mb) for each in found.packages] == [("celery", None)]


def test_packages_of_one_distribution_are_one() -> None:
    before = {"yaml": Imported(10.0, "pyyaml")}
    after = {"yaml": Imported(20.0, "pyyaml"), "_yaml": Imported(5.0, "pyyaml")}
    (found,) = package_changes(before, after, {}, {})
    assert (found.name, found.modules) == ("pyyaml", 15.0)


def test_a_side_that_reports_nothing_is_not_known() -> None:
    assert package_changes({}, BEFORE, {}, VERSIONS) == []
    (found,) = package_changes({}, BEFORE, VERSIONS, {**VERSIONS, "django": ("6.0",)})
    assert (found.modules_before, found.modules_after) == (None, None)


def test_less_memory_needs_no_explanation() -> None:
    changed = package_changes(BEFORE, {**BEFORE, "x": Imported(90.0)}, {}, {})
    assert [each.mb for each in explain(changed, -20.0)] == [None]
    assert [each.mb for each in explain(changed, None)] == [None]
