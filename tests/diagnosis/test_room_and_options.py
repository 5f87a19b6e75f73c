"""What may be asked for, and whether there is room for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memwatch.diagnosis import cost_meter, options
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import memory_headroom
from memwatch.diagnosis.recorder import Recorder
from memwatch.sampling.limits import Limits


def test_a_process_near_its_limit_is_refused_with_the_figures() -> None:
    limits = Limits(limit_mb=512, source="setting")
    assert memory_headroom.judge(limits, rss_mb=300, available=9000, needs_mb=64) is None
    assert "480 of 512 MB, setting" in (memory_headroom.judge(limits, rss_mb=480, available=9000, needs_mb=64) or "")


def test_a_full_container_or_machine_is_refused() -> None:
    full = Limits(limit_mb=1000, source="cgroup", cgroup_limit_mb=1000, cgroup_used_mb=940)
    assert "container" in (memory_headroom.judge(full, rss_mb=100, available=None, needs_mb=64) or "")
    assert "machine" in (memory_headroom.judge(Limits(), rss_mb=100, available=50, needs_mb=64) or "")
    assert memory_headroom.judge(Limits(), rss_mb=100, available=None, needs_mb=64) is None


@pytest.mark.parametrize("kind", ["referrers", "heap_summary", "allocations"])
def test_a_heap_of_millions_needs_room_for_the_list_of_its_objects(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def refusal(needs_mb: float, **_limit: object) -> None:
        asked.append(needs_mb)

    monkeypatch.setattr(memory_headroom, "refusal", refusal)
    for objects in (None, 5 * 1024**2):
        Recorder(kind, {"type": "shop.Quote"}, Host(total_objects=lambda objects=objects: objects))  # type: ignore[misc]
    assert asked[1] - asked[0] == pytest.approx(50)


def test_what_the_machine_has_left_is_read(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:  100 kB\nMemAvailable:   2048 kB\n")
    assert memory_headroom.available_mb(str(file)) == 2
    assert memory_headroom.available_mb(str(tmp_path / "none")) is None
    assert memory_headroom.refusal(0, heap_limit_mb=1) is not None


def test_too_much_is_cut_to_the_most_that_is_allowed() -> None:
    asked = options.allocations({"duration_s": 10**6, "frames": 99, "max_traced_mb": 10**6, "type": None})
    assert (asked.duration_s, asked.frames, asked.max_traced_mb, asked.type) == (300, 25, 1024, None)
    assert options.flamegraph({"max_file_mb": 999}).max_file_mb == 64
    assert options.referrers({"type": "x", "depth": 99}).depth == 12
    assert options.flamegraph({}) == options.FlamegraphOptions()
    assert options.allocations({}) == options.AllocationsOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("duration_s", "30"),
        ("duration_s", 0),
        ("duration_s", True),
        ("duration_s", float("nan")),
        ("frames", 0),
        ("type", 1),
        ("type", "x" * 301),
    ],
)
def test_what_is_wrong_is_named(name: str, value: Any) -> None:
    with pytest.raises(Refused, match=f"{name} is .*give"):
        options.allocations({name: value})


def test_flags_and_modes_are_checked() -> None:
    for given in ({"mode": "all"}, {"native_traces": 1}, {"mode": 3}):
        with pytest.raises(Refused, match="give"):
            options.flamegraph(given)
    with pytest.raises(Refused, match="type is missing"):
        options.referrers({"values": True})


def test_threads_that_wait_have_their_turn_before_each_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(cost_meter, "breathe", lambda: order.append("turn"))
    measured = cost_meter.Meter()
    for _ in range(2):
        with measured.pausing():
            order.append("pause")
    assert order == ["turn", "pause", "turn", "pause"]


def test_an_outcome_that_cannot_be_written_ends_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Recorder("heap_summary", {}, Host())

    def run() -> Any:
        yield 0.0
        return object()

    monkeypatch.setattr(made, "_run", run())
    assert made.step() is None
    outcome = made.step()
    assert outcome is not None
    assert (outcome.state, "it failed: AttributeError" in outcome.error) == ("failed", True)
