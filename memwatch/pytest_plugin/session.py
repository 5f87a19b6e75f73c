"""What follows a run of pytest: which tests are measured, what they showed, what is said and noted at the end."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from memwatch.pytest_plugin import ALL, MARK
from memwatch.pytest_plugin.noted import CALLS, KNOWN, LEAK, NO_LEAK, PROPERTIES, SKIPPED, UNDECIDED, Note

if TYPE_CHECKING:
    from memwatch.pytest_plugin.findings import Leak, Outcome
    from memwatch.pytest_plugin.plan import Plan


MARKED_TESTS = "memwatch-marked"
ARGUMENTS = ("calls", "warmup", "budget")
"""Of the marker."""


class LeakError(AssertionError):
    """A test keeps more with every call."""


class Session:
    """Registered where a test or an option asks for it."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.mode: str = config.getoption("memwatch")
        self.is_worker = hasattr(config, "workerinput")
        self._noted: list[Note] = []
        """Of all tests that reported, here or in a worker."""
        self._suite: Any = None
        self._baseline: Any = None
        if config.getoption("memwatch_baseline") or config.getoption("memwatch_baseline_write"):
            from memwatch.pytest_plugin.ratchet import Ratchet  # noqa: PLC0415 - where it is asked for

            self._baseline = Ratchet.of(config)
        if self.mode == ALL:
            from memwatch.pytest_plugin.suite import Suite  # noqa: PLC0415

            self._suite = Suite()
            config.pluginmanager.register(self._suite, "memwatch-suite")

    # Which tests are measured:

    def prepare(self, items: list[pytest.Item]) -> None:
        """Load what measures, with the functions that tests may patch; refuse what a marker cannot mean."""
        for item in items:
            if item.get_closest_marker(MARK) is not None:
                self.plan_of(item)
        from memwatch.pytest_plugin import measurement  # noqa: F401, PLC0415 - where something is measured

        if not self.config.pluginmanager.hasplugin(MARKED_TESTS):
            self.config.pluginmanager.register(MarkedTests(self), MARKED_TESTS)

    def plan_of(self, item: pytest.Item) -> Plan:
        """As its marker asks. Raises ``pytest.UsageError`` for what it cannot mean."""
        marker = item.get_closest_marker(MARK)
        if marker is None or marker.args:
            raise pytest.UsageError(f"{item.nodeid}: no_leaks takes names, e.g. @pytest.mark.no_leaks(calls=500)")
        for name in marker.kwargs.keys() - ARGUMENTS:
            raise pytest.UsageError(f"{item.nodeid}: no_leaks has no argument {name!r}: {', '.join(ARGUMENTS)}")
        try:
            return self.plan(**marker.kwargs)
        except ValueError as reason:
            raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.no_leaks: {reason}") from None

    def plan(self, *, calls: int | None = None, warmup: int | None = None, budget: float | None = None) -> Plan:
        """With what the command line sets in place of what is left out."""
        from memwatch.pytest_plugin import plan as plans  # noqa: PLC0415 - where something is measured

        budget = self.config.getoption("memwatch_budget") if budget is None else budget
        return plans.Plan(
            calls=calls,
            warmup=plans.WARMUP if warmup is None else warmup,
            budget_s=plans.BUDGET_S if budget is None else budget,
        )

    # What they showed:

    def settle_marked(self, item: pytest.Item, outcome: Outcome) -> None:
        """The text is all there is to see: no line of the test raised it."""
        try:
            self.settle(item, item.name, outcome)
        except LeakError as leak:
            text = str(leak)
        else:
            return
        pytest.fail(text, pytrace=False)

    def settle(self, item: pytest.Item, subject: str, outcome: Outcome) -> None:
        """Note the outcome. Raises :class:`LeakError` for leaks that the baseline does not know."""
        from memwatch.pytest_plugin import sentences  # noqa: PLC0415 - where something was measured

        note = item.user_properties.append
        note((CALLS, str(outcome.calls)))
        if outcome.undecided:
            note((UNDECIDED, f"{subject}: {outcome.undecided}"))
        for name, why in outcome.acquitted:
            note((NO_LEAK, f"{subject}: {name} grows, but is no leak: {why}"))
        new: list[Leak] = []
        for leak in outcome.leaks:
            is_known = self._baseline is not None and self._baseline.knows(item.nodeid, leak)
            note((KNOWN if is_known else LEAK, json.dumps(leak.to_dict())))
            if not is_known:
                new.append(leak)
        if new:
            __tracebackhide__ = True
            raise LeakError(sentences.failure(subject, new))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What a test noted, in this process or in a worker; the report of its end has all."""
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name in PROPERTIES:
                    self._noted.append(Note(report.nodeid, name, str(value)))

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """The baseline has the last word on the exit code."""
        if self._baseline is not None and not self.is_worker:
            self._baseline.finish(self._noted)
            if self._baseline.fixed and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return (yield)

    # What is said at the end:

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was noted; nothing where nothing was."""
        lines = list(self._lines())
        if lines:
            terminalreporter.section("memwatch")
            for line in lines:
                terminalreporter.write_line(line)

    def _lines(self) -> Iterator[str]:
        for note in self._noted:
            if note.name in (NO_LEAK, UNDECIDED, SKIPPED):
                yield note.value
            elif note.name == KNOWN:
                from memwatch.pytest_plugin.sentences import rate_of  # noqa: PLC0415 - where there is something to say

                leak = json.loads(note.value)
                yield f"known leak: {note.test}: {leak['type']}, {rate_of(leak['per_call'], leak['unit'])}"
        if self._baseline is not None:
            yield from self._baseline.lines()
        if self._suite is not None:
            yield from self._suite.lines(self._noted)
        leaks = [(note.test, json.loads(note.value)) for note in self._noted if note.name == LEAK]
        if leaks:
            from memwatch.pytest_plugin import github  # noqa: PLC0415 - where there is something to say

            yield from github.lines(leaks)


class MarkedTests:
    """Registered where there are any: a hook takes its time in every test."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """A marked test is replaced by its repetition, before plug-ins for asynchronous tests look at it."""
        function = getattr(item, "obj", None)
        if item.get_closest_marker(MARK) is None or not callable(function):
            return (yield)
        from memwatch.pytest_plugin.repetition import repeated  # noqa: PLC0415 - where it is used

        plan = self._session.plan_of(item)
        item.obj = repeated(function, plan, item, partial(self._session.settle_marked, item))  # type: ignore[attr-defined]
        try:
            return (yield)
        finally:
            item.obj = function  # type: ignore[attr-defined]
