"""Measures the jobs of RQ's workers.

Its worker forks a process for each job, which mostly ends before an agent in it would report. It hands its figures to
the worker through a pipe, and the worker counts them. Blocks that the job kept are not among them: they end with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from memwatch.agent import lifecycle, work_counters
from memwatch.agent.work import meter, spans
from memwatch.agent.work.job import cleaned
from memwatch.host_hooks import tasks
from memwatch.host_hooks.reading import read
from memwatch.host_hooks.wrapping import wrap_method
from memwatch.records import traces
from memwatch.records.work import TASK, UNNAMED

_MOST_BYTES = 65_536


class Pipe:
    """From the process that runs a job to the worker. Nothing that goes wrong is raised."""

    def __init__(self) -> None:
        self._reading: int | None = None
        self.writing: int | None = None

    def open(self) -> None:
        """Before the fork."""
        self.close()
        try:
            self._reading, self.writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return

    def write(self, line: dict[str, object]) -> None:
        """In the process that runs the job."""
        if self.writing is not None:
            with contextlib.suppress(OSError):
                os.write(self.writing, json.dumps(line).encode() + b"\n")

    def received(self) -> list[dict[str, Any]]:
        """In the worker, when that process has ended."""
        if self._reading is None:
            return []
        try:
            lines = [json.loads(line) for line in os.read(self._reading, _MOST_BYTES).splitlines()]
        except (OSError, ValueError):
            return []
        return [line for line in lines if type(line) is dict]

    def close_writing(self) -> None:
        """In the worker, after the fork."""
        end, self.writing = self.writing, None
        if end is not None:
            with contextlib.suppress(OSError):
                os.close(end)

    def close(self) -> None:
        """Both ends."""
        self.close_writing()
        end, self._reading = self._reading, None
        if end is not None:
            with contextlib.suppress(OSError):
                os.close(end)


_pipe = Pipe()


def install() -> None:
    """Wrap what is loaded, once."""
    module = sys.modules.get("rq.worker")
    worker = getattr(module, "Worker", None)
    base = getattr(module, "BaseWorker", worker)
    wrap_method(worker, "fork_work_horse", _fork_work_horse)
    wrap_method(worker, "monitor_work_horse", _monitor_work_horse)
    wrap_method(base, "perform_job", _perform_job)
    wrap_method(base, "prepare_job_execution", _prepare_job_execution)
    wrap_method(getattr(sys.modules.get("rq.job"), "Job", None), "_execute", _execute)


def _fork_work_horse(original: Callable[..., Any]) -> Callable[..., Any]:
    def fork_work_horse(self: Any, *arguments: Any, **named: Any) -> Any:
        if meter.measures():
            _pipe.open()
        try:
            return original(self, *arguments, **named)  # returns in the worker alone
        finally:
            _pipe.close_writing()

    return fork_work_horse


def _monitor_work_horse(original: Callable[..., Any]) -> Callable[..., Any]:
    def monitor_work_horse(self: Any, *arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return original(self, *arguments, **named)
        finally:
            with contextlib.suppress(Exception):
                _count(_pipe.received(), time.perf_counter() - began)
            _pipe.close()

    return monitor_work_horse


def _perform_job(original: Callable[..., Any]) -> Callable[..., Any]:
    def perform_job(self: Any, job: Any, *arguments: Any, **named: Any) -> Any:
        measured = tasks.begin(None, limit_s=_limit_s(job))
        if measured is None:
            return original(self, job, *arguments, **named)
        raised: BaseException | None = None
        try:
            result = original(self, job, *arguments, **named)
            measured.error = result is False
            return result
        except BaseException as error:
            raised = error
            raise
        finally:
            tasks.end(measured, raised)
            if read(self, "_is_horse") is True:
                _hand_over()

    return perform_job


def _prepare_job_execution(original: Callable[..., Any]) -> Callable[..., Any]:
    """RQ has unpacked the job then, in the process that runs it, and its name is known."""

    def prepare_job_execution(self: Any, job: Any, *arguments: Any, **named: Any) -> Any:
        result = original(self, job, *arguments, **named)
        name = cleaned(read(job, "_func_name"))
        if name:
            meter.name(TASK, name)
            _pipe.write({"name": name})
        return result

    return prepare_job_execution


def _execute(original: Callable[..., Any]) -> Callable[..., Any]:
    """Within what traces the job, whether that is around the worker's method or the job's own."""

    def execute(self: Any, *arguments: Any, **named: Any) -> Any:
        spans.note(TASK)
        try:
            return original(self, *arguments, **named)
        finally:
            spans.tell(TASK)

    return execute


def _limit_s(job: Any) -> float:
    limit = read(job, "timeout")
    return float(limit) if type(limit) is int and limit > 0 else 0.0


def _hand_over() -> None:
    """In the process that ran the job, before it ends without Python's exit functions."""
    if _pipe.writing is None:  # it was not forked: its agent speaks for it
        lifecycle.stop(lifecycle.EXIT_WAIT_S)
        return
    for figures in meter.take() or ():
        if figures.kind == TASK:
            _pipe.write({
                "name": figures.name, "seconds": figures.seconds, "failed": figures.errors > 0,
                "peak": figures.peak_kib_max if figures.peak_calls else None, "top": figures.peak_rss_kib or None,
                "trace": figures.peak_trace,
            })  # fmt: skip


def _count(lines: list[dict[str, Any]], seconds: float) -> None:
    """What the job's process has said; one that ended amid the job has only said its name."""
    own = meter.meter()
    if own is None or not lines:
        return
    work_counters.count_task()
    ended = [line for line in lines if "seconds" in line] or [{**lines[-1], "seconds": seconds, "failed": True}]
    for line in ended:
        name, peak, top = line.get("name") or UNNAMED, line.get("peak"), line.get("top")
        trace = traces.ids(traces.checked(line.get("trace")))
        own.totals.ended.append(
            (TASK, name, line["seconds"], line["failed"], False, None, None, peak, None, top, trace)
        )
    own.totals.add_up()
