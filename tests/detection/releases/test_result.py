"""What is said of a release in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from memwatch.detection.releases.comparison import LESS, MORE, SAME, UNCLEAR, UNKNOWN, Change, Side
from memwatch.detection.releases.figures import BIRTH, COMPARED, GROWTH, LATER
from memwatch.detection.releases.imports import Explanation, PackageChange
from memwatch.detection.releases.result import AGE, JOBS, At, Comparison, headline

TRACER = PackageChange(
    name="ddtrace", version_after="4.1", modules_before=0.0, modules_after=977.0, mb=120.0, basis="modules"
)


def compared(*packages: PackageChange, at: At | None = None, **figures: tuple[str, float]) -> Comparison:
    known: dict[str, tuple[str, float]] = {BIRTH: (SAME, 0.0), LATER: (UNKNOWN, 0.0), GROWTH: (UNKNOWN, 0.0), **figures}
    changes = {
        name: Change(name=name, verdict=known[name][0], shift=known[name][1], before=100.0)
        if name in known
        else Change(name=name, verdict=UNKNOWN)
        for name in COMPARED
    }
    side: dict[str, Any] = {"service": "web"}
    return Comparison(
        before=Side(id=1, name="2.3", **side), after=Side(id=2, name="2.4", **side), figures=changes, at=at,
        imports=Explanation(packages=packages),
    )  # fmt: skip


def test_the_dependency_is_named_with_its_share() -> None:
    said = headline(compared(TRACER, rss_birth=(MORE, 150.0)))
    assert said == "+150 MB a worker at birth, of it about 120 MB from 977 modules of ddtrace 4.1"


@pytest.mark.parametrize(
    ("package", "words"),
    [
        (PackageChange(name="django", version_before="5.2", version_after="6.0", modules_before=600.0,
                       modules_after=600.0, mb=90.0), "90 MB from django 5.2 → 6.0"),
        (PackageChange(name="django", version_before="5.2", version_after="6.0", modules_before=600.0,
                       modules_after=800.0, mb=90.0), "90 MB from 200 more modules of django 6.0"),
        (PackageChange(name="a", modules_before=4.0, modules_after=5.0, mb=90.0), "90 MB from 1 more module of a"),
        (PackageChange(name="tables", version_after="1.0", mb=90.0), "90 MB from tables 1.0"),
    ],
)  # fmt: skip
def test_how_a_package_is_named(package: PackageChange, words: str) -> None:
    assert headline(compared(package, rss_birth=(MORE, 100.0))) == f"+100 MB a worker at birth, of it about {words}"


def test_what_explains_little_is_not_named() -> None:
    small = PackageChange(name="shop", modules_before=40.0, modules_after=50.0, mb=4.0)
    assert headline(compared(small, rss_birth=(MORE, 150.0))) == "+150 MB a worker at birth"
    assert headline(compared(TRACER, rss_birth=(LESS, -50.0))) == "-50 MB a worker at birth"


def test_later_is_said_where_it_is_more_than_at_birth() -> None:
    at = At(AGE, 4 * 3600)
    assert headline(compared(at=at, rss_birth=(MORE, 50.0), rss_later=(MORE, 55.0))) == "+50 MB a worker at birth"
    said = headline(compared(at=at, rss_birth=(MORE, 50.0), rss_later=(MORE, 150.0), growth_per_hour=(MORE, 25.0)))
    assert said == "+50 MB a worker at birth, +150 MB a worker after 4 hours, +25 MB an hour (growth)"
    assert headline(compared(at=At(JOBS, 12_000), rss_later=(LESS, -8.5))) == "-8.5 MB a worker after 12,000 jobs"


def test_what_is_not_known_is_not_called_unchanged() -> None:
    assert headline(compared()) == "no change of its memory"
    assert headline(compared(rss_birth=(UNCLEAR, 30.0))).startswith("not clear:")
    assert headline(compared(rss_birth=(UNKNOWN, 300.0))).startswith("not known yet:")


def test_ages_in_words() -> None:
    assert [str(At(AGE, hours * 3600)) for hours in (0.25, 1, 24)] == [
        "after 15 minutes", "after 1 hour", "after 24 hours",
    ]  # fmt: skip
