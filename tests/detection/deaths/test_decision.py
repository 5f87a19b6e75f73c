"""Why a process ended, from values alone."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest

from memwatch.detection.deaths import HUB, SUCCESSOR, Facts, OomCounters, decide, decide_all
from tests.detection.deaths.facts import AT, NO_KILLS, ONE_KILL, facts, running

KILL, TERM, ABRT, SEGV = (-number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGSEGV))
GROUP_KILL = OomCounters(0, 5, 0, 1)
OOM_LINE = "Memory cgroup out of memory: Killed process 100 (python) total-vm:900000kB"
GROUP_LINE = "Tasks in /docker/1f are going to be killed due to memory.oom.group set"
OOM = "The kernel killed it because memory ran out."
LATE = running(for_s=302, limit_s=300)
LONG_LATE = running(for_s=900, limit_s=300)
"""Nothing enforced its limit."""

WITH_STATUS = [
    (facts(status=KILL, oom=ONE_KILL), "oom_process", True),
    (facts(status=KILL, oom=GROUP_KILL), "oom_container", True),
    (facts(status=KILL, oom=NO_KILLS), "sigkill", True),
    (facts(status=KILL), "sigkill", False),
    (facts(status=KILL, rss_mb=99, limit_mb=100), "oom_process", False),
    (facts(status=KILL, oom=NO_KILLS, rss_mb=99, limit_mb=100), "sigkill", True),
    (facts(status=KILL, oom=NO_KILLS, kernel_line=OOM_LINE), "oom_process", True),
    (facts(status=KILL, oom=NO_KILLS, kernel_line=GROUP_LINE), "oom_container", True),
    (facts(status=KILL, oom=ONE_KILL, kernel_log=True), "sigkill", True),
    (facts(status=KILL, oom=ONE_KILL, kernel_log=True, kernel_line=OOM_LINE), "oom_process", True),
    (facts(status=KILL, oom=GROUP_KILL, kernel_log=True), "oom_container", True),
    (facts(status=KILL, kernel_log=True, rss_mb=99, limit_mb=100), "sigkill", True),
    (facts(LATE, status=KILL, oom=ONE_KILL, kernel_log=True), "time_limit", True),
    (facts(status=KILL, oom=OomCounters(None, 7)), "sigkill", False),
    (facts(status=KILL, oom=OomCounters(9, 2)), "sigkill", True),
    (facts(LATE, status=KILL, oom=NO_KILLS), "time_limit", True),
    (facts(LATE, status=KILL, oom=ONE_KILL), "oom_process", True),
    (facts(LONG_LATE, status=KILL, oom=NO_KILLS), "sigkill", True),
    (facts(LATE, status=TERM), "time_limit", True),
    (facts(LONG_LATE, status=TERM), "stopped", True),
    (facts(running(), status=TERM), "stopped", True),
    (facts(status=-signal.SIGINT), "stopped", True),
    (facts(status=-signal.SIGHUP), "stopped", True),
    (facts(status=-signal.SIGQUIT), "stopped", True),
    (facts(status=TERM, oom=ONE_KILL), "stopped", True),
    (facts(status=TERM, record={"ending": "recycled"}), "recycled", True),
    (facts(status=SEGV), "crash", True),
    (facts(status=SEGV, oom=ONE_KILL), "crash", True),
    (facts(LATE, status=SEGV), "crash", True),
    (facts(status=-signal.SIGBUS), "crash", True),
    (facts(status=-signal.SIGFPE), "crash", True),
    (facts(status=-signal.SIGILL), "crash", True),
    (facts(status=-signal.SIGSYS), "crash", True),
    (facts(status=-60), "crash", True),
    (facts(status=ABRT), "crash", True),
    (facts(running(kind="view", for_s=31), status=ABRT, record={"time_limit_s": 30.0}), "time_limit", True),
    (facts(running(kind="view", for_s=3), status=ABRT, record={"time_limit_s": 30.0}), "crash", True),
    (facts(running(kind="task", for_s=31), status=ABRT, record={"time_limit_s": 30.0}), "crash", True),
    (facts(status=-signal.SIGXCPU), "time_limit", True),
    (facts(status=155), "recycled", True),
    (facts(status=0, record={"ending": "recycled"}), "recycled", True),
    (facts(status=1, record={"ending": "time_limit"}), "time_limit", True),
    (facts(LATE, status=1), "time_limit", False),
    (facts(status=0), "stopped", True),
    (facts(status=143), "stopped", True),
    (facts(status=1), "crash", True),
    (facts(status=3, record={"ending": "stopped"}), "crash", True),
    (facts(status=139), "crash", True),
]  # fmt: skip

WITHOUT_STATUS = [
    (facts(), "unknown", False),
    (Facts(at=AT), "unknown", False),
    (facts(record={"ending": "recycled"}), "recycled", True),
    (facts(record={"state": "leaving"}), "stopped", False),
    (facts(record={"ending": "stopped"}, oom=ONE_KILL), "stopped", True),
    (facts(oom=ONE_KILL, rss_mb=400, largest_mb=300), "oom_process", False),
    (facts(oom=ONE_KILL, rss_mb=290, largest_mb=300), "oom_process", False),
    (facts(oom=ONE_KILL, rss_mb=100, largest_mb=300), "unknown", False),
    (facts(oom=ONE_KILL, rss_mb=100, largest_mb=300, limit_mb=101), "oom_process", False),
    (facts(oom=ONE_KILL), "unknown", False),
    (facts(oom=ONE_KILL, rss_mb=400, largest_mb=300, kernel_log=True), "unknown", False),
    (facts(oom=NO_KILLS, rss_mb=400), "unknown", False),
    (facts(oom=GROUP_KILL, rss_mb=10, largest_mb=300), "oom_container", False),
    (facts(LATE), "time_limit", False),
    (facts(LATE, noticed_by=HUB), "unknown", False),
    (facts(noticed_by=HUB, silent=40), "host_gone", False),
    (facts(noticed_by=HUB, rss_mb=96, limit_mb=100), "oom_process", False),
    (facts(rss_mb=96, limit_mb=100), "unknown", False),
    (facts(noticed_by=HUB, silent=4, record={"container_mb": 990.0, "container_limit_mb": 1000.0}), "oom_container",
     False),
    (facts(noticed_by=HUB, silent=4, oom=NO_KILLS, rss_mb=96, limit_mb=100), "host_gone", False),
    (facts(noticed_by=SUCCESSOR, oom=GROUP_KILL), "oom_container", False),
]  # fmt: skip


@pytest.mark.parametrize(("known", "reason", "certain"), WITH_STATUS)
def test_with_an_exit_status(known: Facts, reason: str, certain: bool) -> None:
    verdict = decide(known)
    assert (verdict.reason, verdict.certain) == (reason, certain)


@pytest.mark.parametrize(("known", "reason", "certain"), WITHOUT_STATUS)
def test_without_an_exit_status(known: Facts, reason: str, certain: bool) -> None:
    verdict = decide(known)
    assert (verdict.reason, verdict.certain, verdict.signal) == (reason, certain, None)


def test_one_kill_ends_one_process_the_largest() -> None:
    small, large = facts(status=KILL, oom=ONE_KILL, rss_mb=50), facts(status=KILL, oom=ONE_KILL, rss_mb=400)
    assert [verdict.reason for verdict in decide_all([small, large])] == ["sigkill", "oom_process"]


def test_two_kills_end_two() -> None:
    two = OomCounters(2, 4)
    ends = [facts(status=KILL, oom=two, rss_mb=mb) for mb in (50, 400, 300)]
    assert [verdict.reason for verdict in decide_all(ends)] == ["sigkill", "oom_process", "oom_process"]


def test_a_kill_that_explains_an_earlier_end_does_not_explain_a_later_one() -> None:
    late = facts(status=KILL, oom=ONE_KILL, rss_mb=50)
    assert decide_all([late], [ONE_KILL])[0].reason == "sigkill"
    assert decide_all([late], [OomCounters(1, 2)])[0].reason == "oom_process"
    assert decide_all([facts(status=KILL, oom=OomCounters(2, 4))], [ONE_KILL])[0].reason == "oom_process"


def test_whom_the_kernels_log_names_was_killed_however_small() -> None:
    named = facts(status=KILL, oom=ONE_KILL, rss_mb=50, kernel_line=OOM_LINE)
    large = facts(status=KILL, oom=ONE_KILL, rss_mb=400)
    assert [verdict.reason for verdict in decide_all([large, named])] == ["sigkill", "oom_process"]


def test_the_kill_of_a_neighbour_is_no_end_of_others() -> None:
    stopped = facts(status=TERM, oom=ONE_KILL, rss_mb=400)
    killed = facts(status=KILL, oom=ONE_KILL, rss_mb=200)
    assert [verdict.reason for verdict in decide_all([stopped, killed])] == ["stopped", "oom_process"]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (
            facts(running(), status=KILL, oom=ONE_KILL, rss_mb=498, limit_mb=512),
            f"{OOM} It had 498 MB of 512 MB. Task shop.sync was running for 30 s.",
        ),
        (
            facts(status=KILL, oom=ONE_KILL, rss_mb=100, limit_mb=512, record={"container_mb": 500.0}),
            f"{OOM} It had 100 MB of 512 MB. Others in its container had most of the memory: 400 MB.",
        ),
        (
            facts(status=KILL, rss_mb=99, limit_mb=100),
            "The kernel probably killed it because memory ran out. It had 99 MB of 100 MB.",
        ),
        (
            facts(running(), running("shop.other", 5), running("shop.third", 4), status=SEGV),
            "It crashed: SIGSEGV. Task shop.sync was running for 30 s, and 2 more.",
        ),
        (facts(status=3), "It crashed: exit code 3."),
        (facts(status=TERM), "It was stopped with SIGTERM."),
        (facts(record={"state": "leaving"}), "It was probably stopped."),
        (facts(LATE, status=TERM), "It was killed because task shop.sync reached its time limit of 5 min."),
        (facts(record={"ending": "time_limit"}), "It was killed at a time limit."),
        (
            facts(status=KILL, oom=NO_KILLS),
            "It was killed with SIGKILL, and not by the kernel: no kill for lack of memory was counted for it.",
        ),
        (facts(noticed_by=HUB, silent=40), "All 40 processes of its host fell silent at the same time."),
    ],
)
def test_it_is_said_in_plain_sentences(known: Facts, said: str) -> None:
    assert decide(known).sentence == said


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (((-9.0, 52.0), (-4.0, 449.0)), "oom_process"),
        (((-40.0, 52.0), (-4.0, 449.0)), "unknown"),
        (((-9.0, 440.0), (-4.0, 449.0)), "unknown"),
        (((-9.0, 460.0), (-4.0, 449.0)), "unknown"),
    ],
    ids=["it grew fast", "long ago", "slowly", "it shrank"],
)
def test_a_process_that_would_have_been_full_before_the_next_figure(
    seconds: tuple[tuple[float, float], ...], reason: str
) -> None:
    figures = tuple((AT.timestamp() + at, mb) for at, mb in seconds)
    ended = facts(noticed_by=HUB, rss_mb=449, limit_mb=480, record={"rss_seconds": figures})
    assert (decide(ended).reason, decide(ended).certain) == (reason, False)


@pytest.mark.parametrize(
    ("status", "for_s", "reason"), [(ABRT, 16, "time_limit"), (ABRT, 14, "crash"), (KILL, 31, "sigkill")]
)
def test_a_worker_of_many_requests_is_aborted_when_it_hangs(status: int, for_s: float, reason: str) -> None:
    """A longer request is no offence there: any other signal was sent for another reason."""
    ended = facts(running(kind="view", for_s=for_s), status=status, oom=NO_KILLS, record={"heartbeat_s": 30.0})
    assert decide(ended).reason == reason


@pytest.mark.parametrize(
    ("silent_s", "for_s", "reason"),
    [(31, 31, "time_limit"), (3, 31, "sigkill"), (20, 20, "sigkill"), (600, 600, "sigkill")],
)
def test_a_worker_that_wrote_nothing_while_its_view_ran_was_killed_for_its_silence(
    silent_s: float, for_s: float, reason: str
) -> None:
    """As code in C does that keeps the interpreter's lock; a request may be longer where others are served."""
    record = {"heartbeat_s": 30.0, "written_at": AT - timedelta(seconds=silent_s)}
    verdict = decide(facts(running(kind="view", for_s=for_s), status=KILL, oom=NO_KILLS, record=record))
    assert (verdict.reason, verdict.certain) == (reason, reason == "sigkill")
    assert ("no sign of life for 30 s" in verdict.sentence) is (reason == "time_limit")


def test_a_full_count_does_not_excuse_an_error() -> None:
    assert decide(facts(status=3, record={"ending": "recycled"})).reason == "crash"
