"""What the figure of a container consists of, in sentences."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from memwatch.detection.surroundings.container import filled_percent, headline, sentences, size
from memwatch.records.surroundings import Neighbour, Pressure, Surroundings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def container(**figures: Any) -> Surroundings:
    return Surroundings(
        **{
            "looked_at": NOW, "used_mb": 3500.0, "limit_mb": 4096.0, "anon_mb": 3000.0, "file_mb": 300.0,
            "mapped_mb": 100.0, "inactive_file_mb": 100.0, "shmem_mb": 0.0, "kernel_mb": 200.0,
            "watched": 4, "watched_mb": 3100.0, "unwatched": 0, "unwatched_mb": 0.0,
            **figures,
        }
    )  # fmt: skip


EXPLAINED = "The processes explain 3.0 of 3.4 GB; other page cache takes 200 MB and kernel memory takes 200 MB."
FFMPEG = (
    Neighbour(7, "ffmpeg", 600.0, 500.0), Neighbour(8, "ffmpeg", 400.0, None), Neighbour(9, "tesseract", 210.0, 200.0)
)  # fmt: skip


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({}, [EXPLAINED]),
        (
            {"used_mb": 3900.0, "anon_mb": 700.0, "file_mb": 3000.0, "watched_mb": 800.0, "mapped_mb": 100.0},
            [
                ("The container is full of page cache (2.9 GB of 3.8 GB), which the kernel gives back when it is "
                "needed: harmless."),
                "The processes explain 0.8 of 3.8 GB; other page cache takes 2.8 GB and kernel memory takes 200 MB.",
            ],
        ),
        (
            {"used_mb": 900.0, "anon_mb": 100.0, "file_mb": 700.0, "watched_mb": 120.0, "kernel_mb": None},
            [
                ("Most of the container's memory is page cache (700 MB of 900 MB), which the kernel gives back when it "
                "is needed: harmless."),
                "The processes explain 120 of 900 MB; other page cache takes 600 MB.",
            ],
        ),
        (
            {"watched_mb": 2000.0, "unwatched": 3, "unwatched_mb": 1100.0, "largest": FFMPEG},
            ["1.1 GB is in processes that memwatch does not watch: ffmpeg 900 MB, tesseract 200 MB.", EXPLAINED],
        ),
        (
            {"shmem_mb": 900.0, "file_mb": 1000.0, "mapped_mb": 800.0},
            [
                "900 MB is in files in memory (tmpfs, /dev/shm) and shared memory: only deleting it frees it.",
                EXPLAINED,
            ],
        ),
        (
            {"pressure": Pressure(20.0, 34.6, 5.0, 4.0), "used_mb": 900.0, "file_mb": 700.0, "watched_mb": 120.0},
            [
                ("Processes of the container waited for memory during 35 % of the last minute: its limit is too small "
                "for what runs in it."),
                "The processes explain 120 of 900 MB; other page cache takes 600 MB and kernel memory takes 200 MB.",
            ],
        ),
        ({"hidden": 1}, [f"{EXPLAINED} One process of the container cannot be seen from here."]),
        ({"hidden": 3}, [f"{EXPLAINED} 3 processes of the container cannot be seen from here."]),
        (
            {"complete": False, "unwatched_mb": None},
            ["The container has too many processes to look at each of them: their memory is not known."],
        ),
        ({"watched_mb": 4000.0}, [EXPLAINED.replace("3.0 of", "3.4 of")]),
        ({"used_mb": None}, []),
        ({"file_mb": None, "mapped_mb": None}, [EXPLAINED.replace("other page cache takes 200 MB and ", "")]),
    ],
)  # fmt: skip
def test_what_is_said_of_a_container(figures: dict[str, Any], said: list[str]) -> None:
    assert sentences(container(**figures)) == said


def test_the_largest_part_comes_first_and_is_the_headline() -> None:
    both = container(used_mb=3000.0, file_mb=1600.0, watched_mb=300.0, unwatched=3, unwatched_mb=1100.0, largest=FFMPEG)
    assert [text.split(" ")[0] for text in sentences(both)] == ["Most", "1.1", "The"]
    assert headline(both).startswith("Most of the container's memory is page cache")
    assert headline(container(used_mb=None)) == ""


def test_more_than_three_other_programs_are_counted() -> None:
    many = tuple(Neighbour(number, f"tool{number}", 100.0) for number in range(5))
    (said, _explained) = sentences(container(unwatched=5, unwatched_mb=500.0, largest=many))
    assert said == (
        "500 MB is in processes that memwatch does not watch: tool0 100 MB, tool1 100 MB, tool2 100 MB and 2 more."
    )


def test_small_programs_are_not_named() -> None:
    (said, _explained) = sentences(
        container(unwatched=90, unwatched_mb=400.0, largest=tuple(Neighbour(n, f"tool{n}", 5.0) for n in range(20)))
    )
    assert said == "400 MB is in processes that memwatch does not watch."


def test_a_container_is_as_full_as_its_alert_counts() -> None:
    assert filled_percent(container(used_mb=3000.0, inactive_file_mb=1000.0, limit_mb=4000.0)) == 50.0
    assert filled_percent(container(limit_mb=None)) is None


def test_sizes_change_to_gigabytes_where_the_number_gets_long() -> None:
    assert [size(mb) for mb in (0.4, 999.4, 1000, 1126)] == ["0 MB", "999 MB", "1.0 GB", "1.1 GB"]
