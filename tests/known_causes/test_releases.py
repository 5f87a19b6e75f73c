"""Releases that are known to leak: the list itself, and what it says of what is installed."""

from __future__ import annotations

import re

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from memwatch.known_causes.releases import PYTHON, KnownLeak, fitting, known_leaks, matching
from memwatch.models import Leak
from memwatch.records.distributions import Distribution

CELERY = Distribution("celery", "5.3.6", imported=True)
TASKS = KnownLeak(
    id="celery-tracebacks", package="celery", ranges=((SpecifierSet("<5.6.0"), "5.6.0"),), what="tracebacks",
    symptom="It grows with each task that fails.", types=("traceback", "celery.app.*"), reference="https://example.org",
)  # fmt: skip
NATIVE = KnownLeak(
    id="celery-native", package="celery", ranges=((SpecifierSet(">=5.0"), "6.0"),), what="buffers",
    symptom="It grows.", kinds=("native",), reference="https://example.org",
)  # fmt: skip
SERIES = KnownLeak(
    id="python-tls", package=PYTHON, what="sessions", symptom="It grows.", reference="https://example.org",
    ranges=((SpecifierSet(">=3.10,<3.12.7"), "3.12.7"), (SpecifierSet("==3.13.0"), "3.13.1")),
)  # fmt: skip


def ids(found):
    return [match.leak.id for match in found]


def test_a_release_that_leaks_is_named_with_the_one_that_does_not():
    (match,) = matching([CELERY], leaks=[TASKS])
    assert match.sentence == "celery 5.3.6 has a known leak of tracebacks, fixed in 5.6.0."


@pytest.mark.parametrize(
    ("version", "leaks"),
    [("5.5.3", True), ("5.6.0", False), ("5.6.0rc1", False), ("5.5.0rc1", True), ("5.10", False),
     ("5.3.6+local.1", True), ("5.3.6.post1", True), ("none", False), ("", False), ("5.3.x", False)],
)  # fmt: skip
def test_versions_are_compared_as_pep_440_says(version, leaks):
    assert bool(matching([CELERY._replace(version=version)], leaks=[TASKS])) is leaks


@pytest.mark.parametrize(
    ("python", "fixed_in"),
    [("3.11.7", "3.12.7"), ("3.12.6", "3.12.7"), ("3.12.7", ""), ("3.13.0", "3.13.1"), ("3.13.1", ""), ("3.14.0+", ""),
     ("", ""), ("strange", "")],
)  # fmt: skip
def test_each_series_of_python_has_its_own_fix(python, fixed_in):
    assert [match.fixed_in for match in matching([], python, leaks=[SERIES])] == ([fixed_in] if fixed_in else [])


def test_a_leak_on_one_python_is_not_one_on_another():
    greenlet = Distribution("greenlet", "2.0.0.post0", imported=True)
    assert ids(matching([greenlet], "3.11.7")).count("greenlet-3.11") == 1
    assert "greenlet-3.11" not in ids(matching([greenlet], "3.10.13"))


def test_what_grows_as_the_leak_does_comes_first():
    found = matching([CELERY], leaks=[NATIVE, TASKS])
    assert [(match.leak.id, match.fits) for match in fitting(found, "objects", "celery.app.trace.TraceInfo")] == [
        ("celery-tracebacks", True),
        ("celery-native", False),
    ]
    assert [(match.leak.id, match.fits) for match in fitting(found, "native", "")] == [
        ("celery-native", True),
        ("celery-tracebacks", False),
    ]


def test_a_package_that_was_not_imported_explains_nothing():
    assert fitting(matching([CELERY._replace(imported=False)], leaks=[TASKS]), "objects", "traceback") == []


def test_the_list_is_complete_and_consistent():
    leaks = known_leaks()
    assert len(leaks) >= 40
    assert len({leak.id for leak in leaks}) == len(leaks)
    for leak in leaks:
        assert re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", leak.id), leak.id
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", leak.package), leak.id
        assert leak.reference.startswith("https://"), leak.id
        assert leak.symptom.endswith("."), leak.id
        assert not leak.what.endswith("."), leak.id
        assert set(leak.kinds) <= {Leak.Kind.UNTRACKED, Leak.Kind.NATIVE}, leak.id
        for versions, fixed_in in leak.ranges:
            assert not versions.contains(Version(fixed_in)), leak.id


def test_what_was_reproduced_was_reproduced_with_a_release_that_leaks_and_its_fix():
    reproduced = [leak for leak in known_leaks() if leak.reproduced]
    assert len(reproduced) >= 19
    for leak in reproduced:
        known = leak.reproduced
        assert any(versions.contains(known.affected) for versions, _fixed_in in leak.ranges), leak.id
        assert not any(versions.contains(known.fixed) for versions, _fixed_in in leak.ranges), leak.id
