"""How outages are judged: what is lost or slower is told, and only that."""

from __future__ import annotations

import random
from array import array
from pathlib import Path

from benchmarks.outages.catalogue import OUTAGES
from benchmarks.outages.found import Found, together
from benchmarks.outages.latency import LIMIT, Requests, change
from benchmarks.outages.stand import Counts

QUIET = Counts(
    taken=100, lost=0, stored=90, twice=0, counted=90, again=0, dropped=10, dropped_shown=10, poisoned=3, set_aside=3,
    host_taken=10, host_stored=10,
)  # fmt: skip


def written(folder: Path, *, slower: float) -> Requests:
    """A minute of requests to both servers; from the 20th to the 40th second the watched one is slower."""
    chance = random.Random(1)
    numbers = array("d")
    for step in range(12_000):
        began = step / 200
        took = chance.lognormvariate(-6, 0.2)
        numbers.extend((began, 0, took * (slower if 20 <= began < 40 else 1.0)))
        numbers.extend((began + 0.001, 1, chance.lognormvariate(-6, 0.2)))
    (folder / "requests").write_bytes(numbers.tobytes())
    return Requests(folder / "requests")


def judged(requests: Requests) -> tuple[float, float, float]:
    return change(requests.between(20, 40), requests.between(0, 20) + requests.between(40, 60))


def found(before: Counts, after: Counts, *, p99: tuple[float, float, float] = (1.0, 0.98, 1.02)) -> Found:
    return Found.between(
        before, after, name="Redis killed", lasted_s=20, current_s=2, settled_s=3, requests=1000,
        p99_change=p99[0], p99_low=p99[1], p99_high=p99[2],
    )  # fmt: skip


def test_an_outage_that_slows_the_watched_server_is_told_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    ratio, low, high = judged(written(tmp_path, slower=1.0))
    assert low < 1 < high
    assert high - low < 0.4
    ratio, low, _high = judged(written(tmp_path, slower=1.5))
    assert ratio > 1.2
    assert low > LIMIT


def test_only_what_is_lost_twice_uncounted_or_slower_is_a_fault() -> None:
    def after(**changed: int) -> Counts:
        return Counts(**{**QUIET.__dict__, "taken": 200, "stored": 190, "counted": 190, **changed})

    assert found(QUIET, after()).faults == []
    assert found(QUIET, after(again=40)).faults == []
    for changed in ({"lost": 1}, {"twice": 1}, {"counted": 191}, {"dropped_shown": 0},
                    {"set_aside": 2}, {"host_stored": 9}):  # fmt: skip
        (fault,) = found(QUIET, after(**changed)).faults
        assert fault[0].isdigit()
    assert found(QUIET, after(), p99=(1.2, 1.01, 1.4)).faults == []
    (fault,) = found(QUIET, after(), p99=(1.2, 1.1, 1.3)).faults
    assert "slower" in fault


def test_many_uncertain_figures_make_a_more_certain_one() -> None:
    one = found(QUIET, QUIET, p99=(1.02, 0.92, 1.13))
    change, low, high = together([one] * 25)
    assert abs(change - 1.02) < 0.001
    assert 0.99 < low < change < high < 1.05


def test_every_outage_has_a_name_of_its_own() -> None:
    assert len({outage.name for outage in OUTAGES}) == len(OUTAGES)
    assert {outage.transport for outage in OUTAGES} == {"redis", "local"}
