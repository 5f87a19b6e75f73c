"""A worker of Celery in a thread of this process, with the pool ``solo`` and a broker in memory.

It runs tasks as in production: arguments are serialized, and the worker's signals are sent. The application's own
broker and results are left alone, and the application is as before when it ends.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NAME = "memwatch-gate"
START_S, RUN_S = 30.0, 600.0
"""To begin, and for one task."""
_POLL_S = 0.001
_BROKER = "memory://localhost//"
_SETTINGS = {
    "broker_url": _BROKER,
    "broker_read_url": _BROKER,
    "broker_write_url": _BROKER,
    "broker_transport_options": {"polling_interval": _POLL_S},
    "result_backend": "disabled",
    "task_always_eager": False,
    "worker_disable_rate_limits": True,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
}


class Worker:
    """Runs one task at a time, for one thread that waits."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._ended = threading.Event()
        self._id = ""
        self._error: BaseException | None = None

    def run(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """One task, to its end. Raises what it raises, and :class:`TimeoutError` after :data:`RUN_S`."""
        from celery.utils import uuid  # noqa: PLC0415 - only with Celery
        from celery.worker import state  # noqa: PLC0415

        state.successful_requests.clear()  # the worker remembers a thousand
        self._error = None
        self._ended.clear()
        self._id = uuid()
        task.apply_async(args, kwargs, task_id=self._id, queue=self._queue)
        if not self._ended.wait(RUN_S):
            raise TimeoutError(f"{task.name} has not ended in {RUN_S:g} seconds")
        error, self._error = self._error, None
        if error is not None:
            raise error

    def failed(self, task_id: str = "", exception: BaseException | None = None, **_more: Any) -> None:
        """A handler of ``task_failure`` and, with ``reason`` and ``request``, of ``task_retry``."""
        if task_id == self._id:
            self._error = exception

    def retried(self, request: Any = None, reason: Any = None, **_more: Any) -> None:
        """A handler of ``task_retry``: the test waits for no second try."""
        if getattr(request, "id", "") == self._id:
            self._error = reason if isinstance(reason, BaseException) else RuntimeError(str(reason))

    def ended(self, task_id: str = "", **_more: Any) -> None:
        """A handler of ``task_postrun``."""
        if task_id == self._id:
            self._ended.set()


@contextlib.contextmanager
def solo_worker(app: Any) -> Iterator[Worker]:
    """Runs until the end of the block. Raises :class:`RuntimeError` where it does not begin."""
    from celery import signals, utils  # noqa: PLC0415 - only with Celery

    queue = f"{NAME}-{utils.uuid()}"  # what an earlier one has left is not run
    worker = Worker(queue)
    handlers = (
        (signals.task_failure, worker.failed),
        (signals.task_retry, worker.retried),
        (signals.task_postrun, worker.ended),
    )
    with _in_memory(app), _thread(app, queue):
        for signal, handler in handlers:
            signal.connect(handler, weak=False)
        try:
            yield worker
        finally:
            for signal, handler in handlers:
                signal.disconnect(handler)


@contextlib.contextmanager
def _in_memory(app: Any) -> Iterator[None]:
    """Other settings, and what the application made of its own put aside: connections, queues, the result backend."""
    app.finalize()
    kept = {name: app.conf.get(name) for name in _SETTINGS}
    own = vars(app)
    aside = {name: own.pop(name) for name in ("amqp",) if name in own}
    pool, shared, local = app._pool, app._backend_cache, vars(app._local).pop("backend", None)
    app._pool = app._backend_cache = None
    app.conf.update(_SETTINGS)
    try:
        yield
    finally:
        app.conf.update(kept)
        own.pop("amqp", None)
        own.update(aside)
        app._pool, app._backend_cache = pool, shared
        vars(app._local).pop("backend", None)
        if local is not None:
            app._local.backend = local


@contextlib.contextmanager
def _thread(app: Any, queue: str) -> Iterator[None]:
    from celery import worker  # noqa: PLC0415 - only with Celery

    state: Any = worker.state

    ready = threading.Event()
    controller = worker.WorkController(
        app=app, hostname=f"{NAME}@localhost", pool="solo", concurrency=1, queues=[queue], loglevel="ERROR",
        without_heartbeat=True, without_mingle=True, without_gossip=True, ready_callback=lambda _consumer: ready.set(),
    )  # fmt: skip
    thread = threading.Thread(target=controller.start, name=NAME, daemon=True)
    thread.start()
    try:
        if not ready.wait(START_S):
            raise RuntimeError(f"the worker has not begun in {START_S:g} seconds")
        yield
    finally:
        state.should_terminate = 0
        thread.join(START_S)
        state.should_terminate = None
        with app.connection_for_write() as connection:
            connection.default_channel.queue_delete(queue)
