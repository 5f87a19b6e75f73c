"""One agent a process, around forks and at the end; each in a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

RunScript = Callable[..., str]

HEAD = """
import gc, json, os, sys, threading, time
from memwatch import agent
from memwatch.transport import open_hub
from memwatch.transport.wire import Command, Report

def config(**values):
    return agent.AgentConfig(transport=URL, command_key=KEY, host="here", **{"snapshot_interval": 0.2, **values})

hub = open_hub(URL)
reports = []

def collect():
    found = hub.read(limit=1000)
    hub.acknowledge(found)
    reports.extend(Report.decode(delivery.payload) for delivery in found)
    return reports

def wait(condition, within=15):
    until = time.monotonic() + within
    while not condition(collect()):
        assert time.monotonic() < until, [(r.process.pid, [s for s, _ in r.snapshots], r.goodbye) for r in reports]
        time.sleep(0.02)

def from_pid(pid):
    return [report for report in collect() if report.process.pid == pid]
"""


def test_starting_again_returns_the_agent_that_runs(run_script: RunScript) -> None:
    run_script(
        HEAD
        + """
assert agent.current() is None
first = agent.start(config())
assert agent.start(config()) is first is agent.current()
assert len(os.listdir("/proc/self/task")) == 2
agent.stop()
assert agent.current() is None
second = agent.start(config())
assert second is not first
assert second.process.key != first.process.key, "a goodbye was said for the first"
"""
    )


def test_nothing_is_done_within_the_first_second(run_script: RunScript) -> None:
    run_script(
        HEAD
        + """
began = time.monotonic()
agent.start(config(), delay_s=0)
folder = URL.removeprefix("local://")
while not os.path.exists(folder + "/spool"):
    time.sleep(0.01)
assert time.monotonic() - began >= 1.0
"""
    )


def test_a_process_over_within_the_first_second_is_never_heard_of(run_script: RunScript) -> None:
    run_script(HEAD + "agent.start(config())\ntime.sleep(0.3)\n")
    assert run_script(HEAD + "print(len(collect()))") == "0\n"


def test_no_thread_of_the_agent_is_there_when_the_process_forks(run_script: RunScript) -> None:
    """From 3.12 on, ``os.fork()`` warns where it finds a second thread."""
    out = run_script(
        HEAD
        + """
counted = []
# Hooks before a fork run in reverse order: registered before the agent's, this one runs after it.
os.register_at_fork(before=lambda: counted.append(len(os.listdir("/proc/self/task"))))
agent.start(config())
wait(lambda found: found)
heap = [[number] for number in range(300_000)]
key = agent.current().process.key
began = time.monotonic()
slowest = 0.0
for _ in range(100):
    asked = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    slowest = max(slowest, time.monotonic() - asked)
    os.waitpid(pid, 0)
    time.sleep(0.003)
lone = counted.count(1)
before = len(reports)
wait(lambda found: len(found) > before + 2)
assert hub.request({key: Command.make("ping", key).encode(KEY)}, timeout_s=5), "it is back"
print(json.dumps([lone, slowest]))
"""
    )
    lone, slowest = json.loads(out)
    assert lone >= 90, "all but those that came amid a census"
    assert slowest < 0.5


def test_a_forked_child_is_a_process_of_its_own_and_its_parent_lives_on(run_script: RunScript) -> None:
    run_script(
        HEAD
        + """
agent.start(config())
wait(lambda found: found)
parent = agent.current().process.key
ended, end = os.pipe()
pid = os.fork()
if pid == 0:
    assert agent.current() is not None
    assert agent.current().pid == os.getpid()
    os.close(end)
    os.read(ended, 1)
    sys.exit()
wait(lambda found: any(report.snapshots for report in from_pid(pid)))
os.close(end)
os.waitpid(pid, 0)
wait(lambda found: from_pid(pid) and from_pid(pid)[-1].goodbye)
child = {report.process.key for report in from_pid(pid)}
assert len(child) == 1 and child != {parent}
assert [seq for report in from_pid(pid) for seq, _ in report.snapshots][0] == 1
assert not any(report.goodbye for report in from_pid(os.getpid()))
assert hub.request({parent: Command.make("ping", parent).encode(KEY)}, timeout_s=5)
"""
    )


def test_a_child_of_a_child_is_watched_too(run_script: RunScript) -> None:
    run_script(
        HEAD
        + """
agent.start(config())
ended, end = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(end)
        os.read(ended, 1)
        os._exit(0)
    os._exit(0)
os.wait()
wait(lambda found: len({report.process.pid for report in found if report.snapshots}) == 2)
"""
    )


def test_a_process_that_stopped_its_agent_has_children_without_one(run_script: RunScript) -> None:
    run_script(
        HEAD
        + """
agent.start(config())
agent.stop()
pid = os.fork()
if pid == 0:
    os._exit(0 if agent.current() is None and len(os.listdir("/proc/self/task")) == 1 else 1)
assert os.waitpid(pid, 0)[1] == 0
"""
    )


def test_a_program_started_through_a_fork_has_no_thread_of_ours_at_any_time(run_script: RunScript) -> None:
    run_script(
        HEAD
        + """
import subprocess
agent.start(config())
wait(lambda found: found)
def single():
    assert len(os.listdir("/proc/self/task")) == 1
    assert agent.current() is None
assert subprocess.run(["true"], preexec_fn=single, check=True).returncode == 0
before = len(collect())
wait(lambda found: len(found) > before)
"""
    )


def test_forks_of_several_threads_at_once_do_not_lock_up(run_script: RunScript) -> None:
    run_script(
        HEAD
        + """
import warnings
warnings.simplefilter("ignore")  # the host's own threads make os.fork() warn on 3.12
agent.start(config())
wait(lambda found: found)
def fork():
    for _ in range(30):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
threads = [threading.Thread(target=fork) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
before = len(collect())
wait(lambda found: len(found) > before)
"""
    )


def test_finalizers_of_the_host_never_run_in_the_agents_thread(run_script: RunScript) -> None:
    out = run_script(
        HEAD
        + """
import _thread
threads = set()
class Record:
    def __del__(self):
        threads.add(_thread.get_ident())
def generate():
    try:
        yield
    finally:
        threads.add(_thread.get_ident())
stop = False
def work():
    while not stop:
        for _ in range(200):
            one = Record(); one.me = [one]      # a cycle: the collector's
            two = Record(); del two             # by reference count
            three = generate(); next(three); del three
        time.sleep(0.0005)
agent.start(config())
wait(lambda found: found)
workers = [threading.Thread(target=work) for _ in range(2)]
for worker in workers: worker.start()
own = {worker.ident for worker in workers} | {_thread.get_ident()}
key = agent.current().process.key
taken = 0
until = time.monotonic() + 6
while time.monotonic() < until:
    got = hub.request({key: Command.make("snapshot", key).encode(KEY)}, timeout_s=5)
    taken += sum(len(Report.decode(payload).snapshots) for payload in got.values())
    collect()
    time.sleep(0.05)
stop = True
for worker in workers: worker.join()
snapshots = sum(len(report.snapshots) for report in collect())
until = time.monotonic() + 5  # the agent may be at work just now
while not gc.isenabled() and time.monotonic() < until: time.sleep(0.002)
assert gc.isenabled()
print(json.dumps([snapshots, len(threads - own)]))
"""
    )
    snapshots, strangers = json.loads(out)
    assert snapshots > 15
    assert strangers == 0


def test_the_agent_adds_next_to_nothing_to_the_time_of_exit() -> None:
    def exit_ms(code: str) -> float:
        lasted = []
        for _ in range(5):
            script = (
                "import sys, time\nfrom memwatch import agent\n"
                "config = agent.AgentConfig(transport='redis://192.0.2.1:1/0', command_key='k', host='h')\n"
                f"{code}\ntime.sleep(1.5)\nprint(time.time(), flush=True)\n"
            )
            done = subprocess.run(
                [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
            )
            lasted.append((time.time() - float(done.stdout)) * 1e3)
        return statistics.median(lasted)

    without, within = exit_ms("agent.stop()"), exit_ms("agent.start(config)")
    assert within - without < 2_000, "a transport that does not answer cannot hold up the exit"


def test_an_agent_at_work_takes_less_than_three_megabytes(run_script: RunScript) -> None:
    """Beside its modules, which a process that runs the Django application has loaded anyway."""
    out = run_script(
        """
import psutil, time
from memwatch import agent
config = agent.AgentConfig(transport=URL, command_key=KEY, host="here", snapshot_interval=0.2)
from memwatch.agent import lifecycle
heap = [{"number": number} for number in range(60_000)]
before = psutil.Process().memory_info().rss
agent.start(config)
time.sleep(4)
print(psutil.Process().memory_info().rss - before)
"""
    )
    assert int(out) < 3 * 1024 * 1024
