"""How a process can end after its job without losing one, by what runs in it.

Nothing of the host's is called. The ways are those that the servers use themselves: the signal that gunicorn's main
process sends a worker to stop it, the end of a Celery child that has run as many tasks as it may, the signal that stops
a whole worker. Where something is not exactly as it is known here, the process is left alone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import CellType, FunctionType, MethodType
from typing import Any, Protocol

from memwatch.diagnosis.heap import introspection
from memwatch.records.recycling import POOL_CHILD, TASKS_WORKER
from memwatch.sampling.type_names import type_name

EX_RECYCLE = 0x9B
"""With which a child of billiard's ends that has run as many tasks as it may."""
_RECEIVE = "Worker._make_protected_receive.<locals>.receive"
_WARM = "_shutdown_handler.<locals>._handle_request"
_DJANGO_TASKS = ("django_tasks.", "django_tasks_db.")
_TASKS_WORKERS = (
    "django_tasks_db.management.commands.db_worker.Worker",
    "django_tasks.backends.database.management.commands.db_worker.Worker",
)
"""Of the package of now, and of the one that it was a part of before."""
_RELOADED = "RUN_MAIN"
"""Django sets it to ``true`` in a process that it starts again when code changes."""
_POOL_WORKERS = ("celery.concurrency.asynpool.Worker", "billiard.pool.Worker")


class CannotRecycle(Exception):  # noqa: N818 - it is an answer, not an error
    """This process is left alone; the text says why."""


class Way(Protocol):
    """One way to end."""

    name: str
    withdrawable: bool
    """Whether the order can be taken back while the process still works."""

    def begin(self) -> None:
        """The process ends after what it is doing now."""

    def withdraw(self) -> None:
        """It stays, if it has not ended yet."""


def way_of(gunicorn_worker: Callable[[], Any], *, whole: bool) -> Way:
    """How this process can end. ``whole``: it may also be a whole worker, which its supervisor starts again.

    Raises :class:`CannotRecycle`.
    """
    worker = gunicorn_worker()
    if worker is not None:
        return GunicornWorker(worker)
    target = _pool_target()
    if target is not None:
        return PoolChild(target)
    handler = signal.getsignal(signal.SIGTERM)
    if _stops_a_whole_worker(handler):
        if not whole:
            raise CannotRecycle("this is a whole worker: name the supervisor that restarts it in the policy")
        tasks_worker = _tasks_worker(handler)
        return WholeWorker() if tasks_worker is None else TasksWorker(tasks_worker)
    raise CannotRecycle(
        "memwatch knows no orderly end for a single process of this program: only for workers of gunicorn and for "
        "Celery and django.tasks workers"
    )


class GunicornWorker:
    """The signal that gunicorn's main process itself sends: requests that run are answered, no new one is accepted."""

    name = "gunicorn worker, SIGTERM"
    withdrawable = False

    def __init__(self, worker: Any) -> None:
        if not _is_parent(introspection.attribute(worker, "ppid")):
            raise CannotRecycle("gunicorn's main process has gone: nothing would start a successor")
        if introspection.attribute(worker, "alive") is False:
            raise CannotRecycle("this worker is about to end already")
        _want_handler()

    def begin(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def withdraw(self) -> None:
        """Nothing takes the signal back."""


class WholeWorker:
    """The signal that stops a worker in an orderly way."""

    name = "whole worker, SIGTERM"
    withdrawable = False

    def begin(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def withdraw(self) -> None:
        """Nothing takes the signal back."""


class TasksWorker:
    """A worker of django.tasks' database asks before each task whether it is to go on: its attribute ``running``.

    Its signal would do the same, but ends the process at once where it runs no task. A task that the worker has just
    taken from the table would be lost.
    """

    name = TASKS_WORKER
    withdrawable = True

    def __init__(self, worker: Any) -> None:
        namespace = introspection.instance_dict(worker)
        if namespace is None or type(namespace.get("running")) is not bool:
            raise CannotRecycle("this release of django-tasks-db is not known to memwatch: its workers are left alone")
        if os.environ.get(_RELOADED) == "true":
            raise CannotRecycle("this worker runs with --reload: its process would stay and run no task")
        if namespace["running"] is False:
            raise CannotRecycle("this worker is about to end already")
        self._namespace = namespace

    def begin(self) -> None:
        self._namespace["running"] = False

    def withdraw(self) -> None:
        self._namespace["running"] = True


class PoolChild:
    """A child of Celery's pool of processes asks, before it waits for a task, whether its pool is being restarted.

    The question is a variable of its function ``receive`` (``should_shutdown``), empty unless Celery's setting
    ``worker_pool_restarts`` is on. It gets an answer: leave, with the exit code of a child that has run as many tasks
    as it may. The parent then starts a successor, and gives a task that it had sent already to another child.

    A child that waits for a task notices after its next one.
    """

    name = POOL_CHILD
    withdrawable = True

    def __init__(self, target: Any) -> None:
        self._cell = _question(target)

    def begin(self) -> None:
        answer = self._answer()
        if answer is None:
            self._cell.cell_contents = _Answer(self._cell.cell_contents)
        else:
            answer.leave = True

    def withdraw(self) -> None:
        answer = self._answer()
        if answer is not None:
            answer.leave = False

    def _answer(self) -> _Answer | None:
        """Once there, it stays: ``receive`` reads the variable twice, so it must not become empty in between."""
        found = self._cell.cell_contents
        return found if type(found) is _Answer else None


class _Answer:
    """Called in the child's main thread, between two tasks."""

    def __init__(self, before: Any) -> None:
        self._before = before
        self.leave = True

    def __call__(self) -> Any:
        if self.leave:
            sys.exit(EX_RECYCLE)  # billiard has replaced it, and takes the code from here
        return self._before() if self._before is not None else False


def _pool_target() -> Any:
    """What billiard runs in this process, if it is a child of a pool."""
    module = sys.modules.get("billiard.process")
    process = None if module is None else introspection.module_dict_of(module).get("_current_process")
    if process is None or introspection.attribute(process, "_parent_pid") is None:
        return None
    target = introspection.attribute(process, "_target")
    if not _is_parent(introspection.attribute(process, "_parent_pid")) or target is None:
        raise CannotRecycle("the parent of this process has gone, or it is no child of a pool")
    return target


def _is_parent(pid: object) -> bool:
    """Whether it is the pid of the parent. What the host keeps there is not asked to compare itself."""
    return type(pid) is int and pid == os.getppid()


def _question(target: Any) -> CellType:
    if type_name(type(target)) not in _POOL_WORKERS:
        raise CannotRecycle(f"{type_name(type(target))} is no kind of Celery child that memwatch knows")
    receive = introspection.attribute(target, "wait_for_job")
    code = introspection.code_of(receive) if type(receive) is FunctionType else None
    if code is None or code.co_qualname != _RECEIVE or "should_shutdown" not in code.co_freevars:
        raise CannotRecycle("this release of billiard is not known to memwatch: its children are left alone")
    cell: CellType = (receive.__closure__ or ())[code.co_freevars.index("should_shutdown")]
    content = cell.cell_contents
    if content is not None and type(content) is not _Answer and type(content) is not MethodType:
        raise CannotRecycle("this release of billiard is not known to memwatch: its children are left alone")
    return cell


def _want_handler() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    if type(handler) is not FunctionType and type(handler) is not MethodType:
        raise CannotRecycle("SIGTERM would kill this worker at once: it has no handler for it")


def _stops_a_whole_worker(handler: Any) -> bool:
    """Whether it is the one of a Celery worker that works by itself, or of a worker of django.tasks."""
    function = _function_of(handler)
    if function is None:
        return False
    module, code = introspection.function_name(function), introspection.code_of(function)
    if module.startswith(_DJANGO_TASKS):
        return True
    if not module.startswith("celery.apps.worker.") or code.co_qualname != _WARM:
        return False
    variables = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    how, worker = (variables[name].cell_contents if name in variables else None for name in ("how", "worker"))
    if type(how) is not str or how != "Warm":
        raise CannotRecycle("SIGTERM stops this Celery worker without letting its tasks finish")
    pool = introspection.attribute(worker, "pool_cls")
    if not introspection.is_class(pool) or type_name(pool).startswith("celery.concurrency.prefork."):
        raise CannotRecycle("this is the main process of a pool: its children are recycled, and it is left alone")
    return True


def _tasks_worker(handler: Any) -> Any:
    """The worker of django.tasks' database whose method the handler is; ``None`` for another kind."""
    worker = vars(MethodType)["__self__"].__get__(handler) if type(handler) is MethodType else None
    return worker if type_name(type(worker)) in _TASKS_WORKERS else None


def _function_of(handler: Any) -> FunctionType | None:
    """The function of a handler, or of the method that it is."""
    if type(handler) is MethodType:
        handler = vars(MethodType)["__func__"].__get__(handler)
    return handler if type(handler) is FunctionType else None
