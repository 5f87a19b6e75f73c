"""The processes of a container: who is watched, what the others are called and take, and how long looking may take."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memwatch.sampling.surroundings.processes import Budget, Processes, Seen, see
from tests.waiting import until

AMPLE_S = 60.0
HOLD = "import sys; held = bytearray(b'x') * 40_000_000; print('ready', flush=True); sys.stdin.read()"
PLAIN = "import sys; print('ready', flush=True); sys.stdin.read()"


class Clock:
    """CPU time that each look at it lets pass."""

    def __init__(self, step_s: float) -> None:
        self._now, self._step_s = 0.0, step_s

    def __call__(self) -> float:
        self._now += self._step_s
        return self._now


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two real processes; the first holds 40 MB."""
    made = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for code in (HOLD, PLAIN)
    ]
    for child in made:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    yield made
    for child in made:
        child.communicate()


def process(
    folder: Path, pid: int, *, name: str = "python", started: int = 100, parent: int = 1, pages: int = 256
) -> None:
    """One in a made-up /proc, with 1 MB resident unless told otherwise."""
    (folder / str(pid)).mkdir(parents=True, exist_ok=True)
    fields = ["S", str(parent), *["0"] * 17, str(started), "0", str(pages)]
    (folder / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")


def looked(processes: Processes, pids: list[int], budget: Budget | None = None):
    me = see(os.getpid())
    assert me is not None
    budget = budget or Budget(AMPLE_S)
    processes.elder(pids, me._replace(started=-1), budget)
    return processes.look(pids, budget)


def test_processes_without_an_agent_are_named_with_what_they_take(children: list[subprocess.Popen[bytes]]) -> None:
    holder, plain = (child.pid for child in children)
    scan = looked(Processes(lambda pid: pid == plain), [holder, plain])
    assert scan.complete
    assert (scan.watched, scan.watched_pids, scan.unwatched) == (1, (plain,), 1)
    (largest,) = scan.largest
    assert (largest.pid, largest.name) == (holder, see(holder).name)  # type: ignore[union-attr]
    assert largest.pss_mb is not None
    assert 38 < largest.pss_mb <= largest.rss_mb < 120
    assert scan.unwatched_mb == pytest.approx(largest.pss_mb)
    assert 0 < (scan.watched_mb or 0) < 38


def test_of_one_too_large_for_the_budget_the_private_part_of_resident_memory_counts(
    children: list[subprocess.Popen[bytes]],
) -> None:
    holder = children[0].pid
    clock = Clock(0.0)
    scan = looked(Processes(lambda _pid: False), [holder], Budget(1e-6, clock))
    (largest,) = scan.largest
    assert largest.pss_mb is None
    assert 38 < (scan.unwatched_mb or 0) < largest.rss_mb


def test_a_process_that_ends_during_the_look_is_left_out(children: list[subprocess.Popen[bytes]]) -> None:
    holder, plain = (child.pid for child in children)

    def has_agent(pid: int) -> bool:
        if pid == holder:
            children[0].communicate()
        return False

    scan = looked(Processes(has_agent), [holder, plain, 2**22 + 5])
    assert scan.complete
    assert {each.pid for each in scan.largest} >= {plain}
    again = looked(Processes(lambda _pid: False), [holder, plain])
    assert [each.pid for each in again.largest] == [plain]


def test_thousands_of_processes_are_given_up_when_the_budget_is_used_up(tmp_path: Path) -> None:
    for pid in range(1, 3001):
        process(tmp_path, pid)
    asked: list[int] = []
    processes = Processes(lambda pid: bool(asked.append(pid)), proc=str(tmp_path))
    scan = processes.look(list(range(1, 3001)), Budget(0.02, Clock(0.0001)))
    assert not scan.complete
    assert scan.unwatched_mb is None
    assert len(asked) < 300
    assert len(scan.largest) <= 20


def test_a_real_look_at_hundreds_of_processes_keeps_to_its_budget(tmp_path: Path) -> None:
    for pid in range(1, 401):
        process(tmp_path, pid)
    budget = Budget()
    Processes(lambda _pid: False, proc=str(tmp_path)).look(list(range(1, 401)), budget)
    assert budget.left_s > -0.04, "two or three steps more than the budget, on a slow machine"


def test_a_name_with_brackets_and_control_characters_is_cleaned(tmp_path: Path) -> None:
    process(tmp_path, 5, name="a) S 1\n(b\x1b[31m\0")
    assert see(5, str(tmp_path)) == Seen(5, 100, "a) S 1\\n(b\\x1b[31m\\x00", 1, 1.0)


@pytest.mark.parametrize("content", [b"", b"5", b"5 (x)", b"5 (x) S 1 2", b"5 (x) Z" + b" 0" * 30, b"\xff\xfe" * 50])
def test_what_is_no_living_process_is_not_seen(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "stat").write_bytes(content)
    assert see(5, str(tmp_path)) is None


def test_without_proc_there_is_nothing(tmp_path: Path) -> None:
    assert see(1, str(tmp_path / "none")) is None
    scan = Processes(lambda _pid: False, proc=str(tmp_path / "none")).look([0, 1, 2], Budget(AMPLE_S))
    assert (scan.watched, scan.unwatched, scan.hidden, scan.largest) == (0, 0, 1, ())


def test_an_elder_with_an_agent_speaks_for_the_others(tmp_path: Path) -> None:
    for pid, started in ((5, 300), (6, 100), (7, 50)):
        process(tmp_path, pid, started=started)
    own = see(5, str(tmp_path))
    assert own is not None
    processes = Processes(lambda pid: pid != 7, proc=str(tmp_path))
    elder = processes.elder([5, 6, 7], own, Budget(AMPLE_S))
    assert elder is not None
    assert elder.pid == 6
    assert processes.lives(elder)
    process(tmp_path, 6, started=900)  # another process got its pid
    assert not processes.lives(elder)
    assert processes.elder([5, 6, 7], own, Budget(AMPLE_S)) is None


def test_an_agent_that_starts_later_is_noticed(tmp_path: Path) -> None:
    process(tmp_path, 6)
    agents: set[int] = set()
    processes = Processes(lambda pid: pid in agents, proc=str(tmp_path))
    assert looked(processes, [6]).watched == 0
    agents.add(6)
    until(lambda: looked(processes, [6]).watched == 1, within_s=5, every_s=0)


def test_the_master_of_watched_workers_counts_as_watched() -> None:
    code = f"import subprocess; subprocess.run([{sys.executable!r}, '-c', {PLAIN!r}])"
    master = subprocess.Popen(
        ["gunicorn: master [shop]", "-c", code],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert master.stdout is not None
    master.stdout.readline()
    worker = int(Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text())
    try:
        scan = looked(Processes(lambda pid: pid == worker), [master.pid, worker])
        assert (scan.watched, scan.unwatched) == (2, 0)
        assert set(scan.watched_pids) == {master.pid, worker}
    finally:
        master.communicate()
