"""What Celery, gunicorn, uWSGI and other servers say of how they run and recycle their processes.

Their own objects are read, and no method of theirs is called: what they hold is of the host, and may be anything. Where
a server keeps its settings out of reach, the command line says what was asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

from memwatch.agent import server_settings
from memwatch.host_hooks import servers
from memwatch.host_hooks.reading import read
from memwatch.records.server_settings import Value, plain
from memwatch.sampling.identity import own_arguments
from memwatch.sampling.type_names import module_and_qualname

_HOLDERS = ("init_process", "load_wsgi", "setup")
"""Methods of gunicorn's worker and arbiter that load the application; ``self`` has the configuration."""
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "uvicorn": {"--workers": "workers", "--limit-max-requests": "max_requests"},
    "granian": {"--workers": "workers", "--runtime-threads": "threads"},
    "hypercorn": {"--workers": "workers", "-w": "workers", "--max-requests": "max_requests",
                  "--max-requests-jitter": "max_requests_jitter"},
}  # fmt: skip
_UWSGI = {"workers": "workers", "processes": "workers", "threads": "threads", "max-requests": "max_requests",
          "harakiri": "timeout"}  # fmt: skip
_MOST_FRAMES = 200


def note_application_loaded() -> None:
    """For ``ready()``, which a server's worker or master calls while it loads the application."""
    for found in (_of_gunicorn(sys._getframe(1)), _noted_of_gunicorn(), _of_uwsgi(), _of_arguments(own_arguments())):
        if found:
            server_settings.note(found)
            return


def note_celery_worker(worker: Any) -> None:
    """For Celery's ``worker_ready``: what its application's configuration and its pool say."""
    app, pool = read(worker, "app"), read(worker, "pool")
    conf = read(app, "conf")
    name = "" if pool is None else module_and_qualname(type(pool))[0].rpartition(".")[2]
    found: dict[str, object] = {
        "server": "celery",
        "pool": name,
        "concurrency": _whole(read(pool, "num_processes"))
        or _whole(read(pool, "limit"))
        or _whole(read(conf, "worker_concurrency")),
    }
    options = read(pool, "options")
    own = options if type(options) is dict else {}
    for key, option, setting in (
        ("max_tasks_per_child", "maxtasksperchild", "worker_max_tasks_per_child"),
        ("max_memory_per_child", "max_memory_per_child", "worker_max_memory_per_child"),
    ):
        found[key] = _whole(own.get(option)) or _whole(read(conf, setting)) or 0
    server_settings.note(_plain(found))


def note_pool_child() -> None:
    """For Celery's ``worker_process_init``: billiard's worker is what this process runs."""
    current = read(sys.modules.get("billiard.process"), "current_process")
    worker = None if current is None else read(current(), "_target")
    if module_and_qualname(type(worker))[0] not in ("billiard.pool", "celery.concurrency.asynpool"):
        return
    found = {
        "server": "celery",
        "pool": "prefork",
        "max_tasks_per_child": _whole(read(worker, "maxtasks")) or 0,
        "max_memory_per_child": _whole(read(worker, "max_memory_per_child")) or 0,
    }
    server_settings.note(_plain(found))


def _of_gunicorn(frame: FrameType | None) -> dict[str, Value]:
    """The worker, or with ``preload_app`` the arbiter, is further up in this very call."""
    if "gunicorn" not in sys.modules:
        return {}
    from memwatch.diagnosis.heap.introspection import attribute  # noqa: PLC0415 - only where gunicorn runs

    for each in _up(frame):
        if each.f_code.co_name in _HOLDERS and _is_gunicorns(each):
            settings = attribute(attribute(each.f_locals.get("self"), "cfg"), "settings")
            if type(settings) is dict:
                return _plain({"server": "gunicorn", **_gunicorn(settings)})
    return {}


def _is_gunicorns(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__")
    return type(name) is str and name.startswith("gunicorn.")


def _noted_of_gunicorn() -> dict[str, Value]:
    """What was read when the worker loaded its application."""
    noted = servers.gunicorn_values
    if not noted:
        return {}
    found: dict[str, object] = {ours: noted.get(key) for key, ours in servers.GUNICORN.items()}
    if found["worker_class"] == "sync" and (_whole(found["threads"]) or 1) > 1:
        found["worker_class"] = "gthread"  # as gunicorn itself decides
    return _plain({"server": "gunicorn", **found})


def _gunicorn(settings: Mapping[str, Any]) -> dict[str, object]:
    from memwatch.diagnosis.heap.introspection import attribute, is_class  # noqa: PLC0415 - see above

    found: dict[str, object] = {ours: attribute(settings.get(key), "value") for key, ours in servers.GUNICORN.items()}
    chosen: Any = found["worker_class"]
    if is_class(chosen):
        found["worker_class"] = module_and_qualname(chosen)[1].rpartition(".")[2]
    elif type(chosen) is str and chosen == "sync" and (_whole(found["threads"]) or 1) > 1:
        found["worker_class"] = "gthread"  # as gunicorn itself decides
    return found


def _up(frame: FrameType | None) -> Iterator[FrameType]:
    for _step in range(_MOST_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _of_uwsgi() -> dict[str, Value]:
    """Its module is there in its own processes alone; values are bytes, or lists of them."""
    options = read(sys.modules.get("uwsgi"), "opt")
    if type(options) is not dict:
        return {}
    found: dict[str, object] = {"server": "uwsgi", "max_requests": 0}
    for key, value in options.items():
        name = key.decode("ascii", "replace") if type(key) is bytes else key
        if type(name) is str and name in _UWSGI:
            found[_UWSGI[name]] = _whole(value.decode("ascii", "replace") if type(value) is bytes else value)
    return _plain(found)


def _of_arguments(arguments: Sequence[str]) -> dict[str, Value]:
    server = next((name for name in _OPTIONS if arguments and name in arguments[0].rpartition("/")[2]), "")
    if not server:
        return {}
    options = _OPTIONS[server]
    found: dict[str, object] = {"server": server}
    if "max_requests" in options.values():
        found["max_requests"] = 0
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in options:
            found[options[name]] = _whole(value if equals else "".join(arguments[number + 1 : number + 2]))
    return _plain(found)


def guarded(note: Callable[..., None], *arguments: Any) -> None:
    """Call ``note``; whatever the host's objects are, nothing that goes wrong is raised."""
    try:
        note(*arguments)
    except Exception:  # noqa: BLE001 - the settings are then not known
        return


def _plain(found: Mapping[str, object]) -> dict[str, Value]:
    return {name: value for name, given in found.items() if (value := plain(name, given)) is not None}


def _whole(value: object) -> int | None:
    if type(value) is int:
        return value
    return int(value) if type(value) is str and value.isascii() and value.isdigit() and len(value) < 16 else None
