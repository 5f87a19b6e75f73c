"""A process that ends is explained by one that lives: with its job, its status, its memory."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from memwatch.agent.flight.other_process import OtherProcess, started_ticks, unreaped_status
from tests.agent.conftest import Watched
from tests.agent.flight.conftest import Guest, death_of, deaths_of, has_met
from tests.waiting import until

Start = Callable[[str], Guest]
Make = Callable[..., Watched]

IN_A_JOB = """
running = start()
meter.begin("task", "shop.before").end()
job = meter.begin("task", "shop.reports.export", limit_s=300.0)
ready(lambda: own_file() and running._samples.latest)
"""


def names(flights: Path) -> list[str]:
    return sorted(path.name for path in flights.glob("*.flight"))


def tells_status() -> bool:
    """Whether the kernel says how a process has ended that is no child, also once it was reaped."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
    other = OtherProcess(pid, started_ticks(pid))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    status = other.status()
    other.close()
    return status == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_process_killed_within_a_job(make_watched: Make, guest: Start, number: signal.Signals, flights: Path) -> None:
    watched = make_watched()
    victim = guest(IN_A_JOB).ready()
    has_met(watched)
    before = time.time()
    os.kill(victim.pid, number)
    victim.process.communicate()
    death = death_of(watched, victim.pid)
    flight = death.flight
    assert flight is not None
    assert (death.key, flight.host, flight.state) == (flight.key, watched.agent.process.host, "running")
    ((kind, name, began, seconds, limit_s, span),) = flight.running
    assert (kind, name, seconds, limit_s, span) == ("task", "shop.reports.export", None, 300.0, "")
    assert [job.name for job in flight.recent] == ["shop.before"]
    assert began < before <= death.noticed_at.timestamp() < before + 10
    assert flight.rss_mb
    assert flight.rss_seconds
    assert flight.limit_mb
    assert flight.growers or flight.rss_mb
    if tells_status():
        assert (death.status, death.status_from) == (-number, "pidfd")
    until(lambda: names(flights) == [watched.agent._flight._recorder.name])


def test_a_goodbye_leaves_no_record(make_watched: Make, guest: Start, flights: Path) -> None:
    watched = make_watched()
    leaver = guest("start()\nmeter.begin('task', 'x').end()\nready()\n").ready()
    until(lambda: len(names(flights)) == 2)
    assert leaver.end() == ("", "")
    assert leaver.process.returncode == 0
    assert len(names(flights)) == 1
    time.sleep(0.5)
    assert deaths_of(watched) == []
    assert any(report.goodbye for report in watched.collect())


@pytest.mark.parametrize(("why", "remains"), [("recycled", False), ("time_limit", True)])
def test_the_goodbye_says_why(make_watched: Make, guest: Start, why: str, remains: bool) -> None:
    watched = make_watched()
    leaver = guest(f"start()\nready()\nending.note({why!r})\nending.note('stopped')\n").ready()
    leaver.end()
    (goodbye,) = [report for report in watched.wait(lambda found: any(r.goodbye for r in found)) if report.goodbye]
    assert goodbye.ending == why
    if remains:  # the record says which job it was
        flight = death_of(watched, leaver.pid).flight
        assert flight is not None
        assert (flight.state, flight.ending) == ("leaving", why)


def test_the_exit_code_of_one_that_leaves_without_a_goodbye(make_watched: Make, guest: Start) -> None:
    watched = make_watched()
    victim = guest("start()\nready()\nos._exit(3)\n").ready()
    has_met(watched)
    victim.end()
    death = death_of(watched, victim.pid)
    if tells_status():
        assert death.status == 3


@pytest.mark.parametrize(("code", "status"), [("raise MemoryError", 1), ("sys.exit(3)", None), ("pass", None)])
def test_an_exception_that_ends_a_program_is_reported_after_its_goodbye(
    make_watched: Make, guest: Start, flights: Path, code: str, status: int | None
) -> None:
    watched = make_watched()
    leaver = guest(f"start()\nready()\n{code}\n").ready()
    has_met(watched)
    leaver.end()
    watched.wait(lambda reports: any(report.goodbye for report in reports))
    if status is not None:
        death = death_of(watched, leaver.pid)
        assert death.status == (status if tells_status() else None)
    until(lambda: len(names(flights)) == 1)
    assert len(deaths_of(watched)) == (status is not None)


def test_two_watchers_report_an_end_once(make_watched: Make, guest: Start, flights: Path) -> None:
    one, other = make_watched(), guest("start()\nready()\n").ready()
    victim = guest(IN_A_JOB).ready()
    until(lambda: len(names(flights)) == 3)
    has_met(one, 2)
    victim.kill()
    death_of(one, victim.pid)
    until(lambda: len(names(flights)) == 2)
    other.end()
    time.sleep(0.5)
    assert len(deaths_of(one)) == 1


def test_the_other_watcher_takes_over_when_the_first_is_killed(make_watched: Make, guest: Start, flights: Path) -> None:
    """Three die; the one that lives reports all, also the watcher."""
    first = guest("start()\nready()\n").ready()
    second = guest("start()\nready()\n").ready()
    victim = guest(IN_A_JOB).ready()
    for one in (victim, second, first):
        one.kill()
    watched = make_watched()
    for one in (victim, second, first):
        death_of(watched, one.pid)
    until(lambda: len(names(flights)) == 1)


def test_who_takes_over_knows_how_both_watchers_ended(make_watched: Make, guest: Start, flights: Path) -> None:
    first, second = (guest("start()\nready()\n").ready() for _ in range(2))
    heir = guest(
        """
        from memwatch.agent.flight import watcher
        watcher.EVERY_S = watcher.SELDOM_S = 0.2
        running = start()
        ready(lambda: len([other for other in running._flight._watcher.others.pidfds.values() if other]) == 2)
        """
    ).ready()
    watched = make_watched(host="elsewhere")
    for one in (first, second):
        one.kill()
    statuses = {death_of(watched, one.pid).status for one in (first, second)}
    assert statuses == {-signal.SIGKILL if tells_status() else None}
    heir.end()


def test_a_job_cut_off_by_an_orderly_end_is_news(make_watched: Make, guest: Start) -> None:
    watched = make_watched()
    leaver = guest(
        """
        start()
        job = meter.begin("task", "shop.cut_off")
        ready()
        job.cut_off = True
        job.end()
        """
    ).ready()
    has_met(watched)
    leaver.end()
    death = death_of(watched, leaver.pid)
    assert death.flight is not None
    assert [job.name for job in death.flight.running] == ["shop.cut_off"]
    assert any(report.goodbye for report in watched.reports)


def test_only_the_two_eldest_watch(make_watched: Make) -> None:
    watched = [make_watched() for _ in range(4)]
    eldest = [one.agent._flight._recorder for one in watched]
    until(lambda: all(recorder.is_open for recorder in eldest))
    by_age = sorted(watched, key=lambda one: one.agent._flight._recorder.name)
    until(lambda: [one.agent._flight._watcher.watches for one in by_age] == [True, True, False, False])
    by_age[0].agent.thread.stop(5)
    until(lambda: [one.agent._flight._watcher.watches for one in by_age[1:]] == [True, True, False])


def test_a_child_forked_within_a_job_does_not_write_into_its_parents_record(make_watched: Make, guest: Start) -> None:
    watched = make_watched()
    parent = guest(
        """
        start()
        job = meter.begin("command", "parents_command")
        while not own_file():
            time.sleep(0.02)
        pid = os.fork()
        if pid == 0:
            job.end()
            meter.begin("task", "child_pids.task")
            while not own_file():
                time.sleep(0.02)
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        print(pid, file=sys.stderr, flush=True)
        ready()
        """
    ).ready()
    parent.kill()
    assert parent.process.returncode == -signal.SIGKILL
    flight = death_of(watched, parent.pid).flight
    assert flight is not None
    assert [job.name for job in flight.running] == ["parents_command"]
    assert flight.recent == ()
    children = [death.flight for death in deaths_of(watched) if death.flight and death.flight.pid != parent.pid]
    assert [[job.name for job in child.running] for child in children] == [["child_pids.task"]]


def test_jobs_of_many_threads_are_all_there(make_watched: Make, guest: Start) -> None:
    watched = make_watched()
    victim = guest(
        """
        import contextvars
        start()

        def work(number):
            for round in range(200):
                meter.begin("view", f"shop:{number}").end()
            meter.begin("view", f"last:{number}")
            time.sleep(600)

        threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(30)]
        for thread in threads:
            thread.start()
        ready(lambda: own_file() and len(meter.meter().running) == 30)
        """
    ).ready()
    victim.kill()
    flight = death_of(watched, victim.pid).flight
    assert flight is not None
    names = {job.name for job in flight.running}
    assert len(names) == len(flight.running) == 24, "as many as a record names, each once"
    assert all(name.startswith("last:") for name in names)
    assert 10 <= len(flight.recent) <= 20


def test_a_process_that_restarts_at_once_is_another_one(make_watched: Make, guest: Start) -> None:
    watched = make_watched()
    first = guest(IN_A_JOB).ready()
    first.kill()
    second = guest(IN_A_JOB).ready()
    second.kill()
    keys = {death_of(watched, one.pid).key for one in (first, second)}
    assert len(keys) == 2


def test_a_process_that_becomes_another_program_is_said_to_have_become_one(make_watched: Make, guest: Start) -> None:
    watched = make_watched()
    code = "print('ready', flush=True); import sys; sys.stdin.read()"
    victim = guest(
        f"start()\nwhile not own_file():\n    time.sleep(.02)\nos.execv(sys.executable, ['py', '-c', {code!r}])"
    )
    victim.ready()
    death = death_of(watched, victim.pid)
    assert (death.status, death.status_from) == (None, "exec")
    assert victim.process.poll() is None
    victim.kill()
    time.sleep(1.0)
    assert len(deaths_of(watched)) == 1


def test_a_program_that_becomes_one_with_an_agent_of_its_own_is_another_process(
    make_watched: Make, guest: Start
) -> None:
    """As servers that reload themselves; the new one's end is not that of both."""
    watched = make_watched()
    code = """
        running = start()
        if "again" in sys.argv:  # the first record may be gone by now: the watcher has read it
            ready(lambda: running._flight._recorder.is_open)
        while not own_file():
            time.sleep(.02)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], "again"])
    """
    victim = guest(code).ready()
    assert death_of(watched, victim.pid).status_from == "exec"
    victim.kill()
    until(lambda: len(deaths_of(watched)) == 2)
    statuses = [(death.status_from, death.status) for death in deaths_of(watched)]
    assert statuses[1] == ("pidfd", -signal.SIGKILL) if tells_status() else statuses[1][0] != "exec"


def test_a_host_that_closes_all_files_it_does_not_know_gets_a_new_record(make_watched: Make, guest: Start) -> None:
    watched = make_watched()
    victim = guest(
        """
        running = start()
        meter.begin("view", "shop:index")
        while not own_file():
            time.sleep(0.02)
        os.closerange(3, 200)
        identity = running._flight._recorder._identity
        ready(lambda: running._flight._recorder.is_open and running._flight._recorder._identity != identity)
        """
    ).ready()
    time.sleep(1.0)
    assert deaths_of(watched) == []
    victim.kill()
    flight = death_of(watched, victim.pid).flight
    assert flight is not None
    assert [job.name for job in flight.running] == ["shop:index"]


def test_the_status_of_a_child_that_nobody_has_asked_for_yet() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
    ticks = started_ticks(pid)
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: unreaped_status(pid, ticks)) == -signal.SIGKILL
    assert unreaped_status(pid, ticks + 1) is None
    os.waitpid(pid, 0)
    assert unreaped_status(pid, ticks) is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_another_process_with_the_pid_is_not_taken_for_it() -> None:
    assert started_ticks(os.getpid()) == started_ticks("self") > 0
    with pytest.raises(ProcessLookupError):
        OtherProcess(os.getpid(), started_ticks("self") + 1)
    assert started_ticks(2**22 + 1) == 0


@pytest.mark.parametrize(("code", "is_news"), [("pass", False), ("raise MemoryError", True)])
def test_an_end_before_the_first_report(
    make_watched: Make, guest: Start, flights: Path, code: str, is_news: bool
) -> None:
    """The record is there before; nobody has heard of the process, so an orderly end is no news."""
    watched = make_watched()
    leaver = guest(
        f"""
        from memwatch.agent.scheduling import Timetable
        Timetable.first_within_s = 1e6
        start(snapshot_interval=1e6)
        ready(reported=False)
        {code}
        """
    ).ready()
    has_met(watched)
    leaver.end()
    if is_news:
        death = death_of(watched, leaver.pid)
        assert death.status == (1 if tells_status() else None)
    until(lambda: len(names(flights)) == 1)
    assert len(deaths_of(watched)) == is_news
    assert not any(report.process.pid == leaver.pid for report in watched.reports)
