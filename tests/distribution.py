"""Which of pytest-xdist's workers runs what.

Half of them run tests that mostly wait for programs which they start, the others tests that compute: so two cores are
in use all the time. Long tests come first, so that no worker ends long after the others.
"""

from __future__ import annotations

from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

WAITING = (
    "tests/deployment/test_gate.py",
    "tests/monitoring/test_whole_chain.py",
    "tests/project/test_recordings.py",
    "tests/project/test_bad_day.py",
    "tests/deployment/test_recordings.py",
    "tests/project/test_whole_stack.py",
    "tests/deployment/test_bad_input.py",
    "tests/launch/test_programs.py",
    "tests/deployment/test_recycled_workers.py",
    "tests/deployment/test_recycling.py",
    "tests/test_health_outages.py",
    "tests/services/test_outages.py",
    "tests/deployment/test_compose.py",
    "tests/deployment/test_deaths.py",
    "tests/deployment/test_bad_days.py",
    "tests/launch/test_run.py",
    "tests/deployment/test_metrics_two_workers.py",
    "tests/deployment/test_modes.py",
    "tests/foreign/test_uninstall.py",
    "tests/foreign/test_doctor.py",
    "tests/heapdump/test_bad_days.py",
    "tests/services/test_crashes.py",
    "tests/metrics/test_database_away.py",
    "tests/metrics/test_exporter_command.py",
    "tests/timetable/test_work_command.py",
    "tests/timetable/test_django_tasks.py",
    "tests/project/test_broker.py",
    "tests/monitoring/test_live.py",
    "tests/test_prefork.py",
)
"""Files whose tests wait for programs, those with the longest tests first."""
SHARING = (
    "tests/test_health_outages.py",
    "tests/deployment/test_compose.py",
    "tests/deployment/test_metrics_two_workers.py",
    "tests/services/test_crashes.py",
    "tests/metrics/test_database_away.py",
    "tests/monitoring/test_live.py",
)
"""Those whose tests share a server or a database, and so a worker. Of the others, each test goes where one is free."""
LONG = (
    "tests/test_permission_matrix.py",
    "tests/services/leaks/test_names.py",
    "tests/admin/test_browser.py",
    "tests/monitoring/test_rules.py",
    "tests/pytest_plugin/test_plugin.py",
    "tests/detection/work/test_attribution.py",
    "tests/heapdump/test_dump.py",
    "tests/diagnosis/referrers/test_recording.py",
    "tests/sampling/test_sampler.py",
    "tests/agent/test_lifecycle.py",
    "tests/sampling/test_census.py",
    "tests/diagnosis/test_holder.py",
    "tests/agent/test_recordings.py",
    "tests/agent/flight/test_parts.py",
    "tests/sampling/test_walk_fuzz.py",
)
"""Files that compute for long: they come first, so that all workers end with short ones."""


def file_of(nodeid: str) -> str:
    """``nodeid`` is that of a test or of a file."""
    return nodeid.partition("::")[0]


def place(nodeid: str) -> int:
    """What to sort by: long files first, the others as they are."""
    file, order = file_of(nodeid), (*WAITING, *LONG)
    return order.index(file) if file in order else len(order)


class Distribution(LoadScopeScheduling):
    """A unit of work is a file, or a test that waits for programs of its own."""

    def _split_scope(self, nodeid: str) -> str:
        file = file_of(nodeid)
        return nodeid if file in WAITING and file not in SHARING else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        others = [each for each in self.nodes if each is not node]
        waiting = sum(map(self._waits, others)) < len(self.nodes) // 2 and not self._waits(node)
        wanted = (scope for scope in self.workqueue if (file_of(scope) in WAITING) is waiting)
        self.workqueue.move_to_end(next(wanted, next(iter(self.workqueue))), last=False)
        super()._assign_work_unit(node)

    def _waits(self, node: WorkerController) -> bool:
        """Whether it has a test that waits, under way or next."""
        units = self.assigned_work.get(node, {}).items()
        return any(file_of(scope) in WAITING and not all(tests.values()) for scope, tests in units)
