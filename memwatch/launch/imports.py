"""Notes which servers, frameworks and task queues the program imports, and hooks into them.

A finder in front of the others lets them find the module; the loader that they give runs the module as ever, and then
calls here. What has to be in place before a server loads its application is done at once. All else waits for the agent.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

EARLY = {
    "apscheduler.executors.base": "memwatch.host_hooks.apscheduler",
    "gunicorn.workers.base": "memwatch.host_hooks.servers",
    "uvicorn.config": "memwatch.host_hooks.servers",
}
"""Module of the program, and ours whose ``install()`` is called when it was imported."""
WITH_AGENT = {
    "billiard.popen_fork": "memwatch.host_hooks.ends",
    "celery.signals": "memwatch.host_hooks.celery_worker",
    "django.core.handlers.base": "memwatch.host_hooks.django_site",
    "django.core.management.base": "memwatch.host_hooks.django_site",
    "django.tasks.signals": "memwatch.host_hooks.django_site",
    "django_tasks.signals": "memwatch.host_hooks.django_site",
    "dramatiq.broker": "memwatch.host_hooks.dramatiq",
    "dramatiq.worker": "memwatch.host_hooks.dramatiq",
    "fastapi.routing": "memwatch.host_hooks.starlette",
    "flask.app": "memwatch.host_hooks.flask",
    "flask.ctx": "memwatch.host_hooks.flask",
    "huey.api": "memwatch.host_hooks.huey",
    "rq.worker": "memwatch.host_hooks.rq",
    "starlette.applications": "memwatch.host_hooks.starlette",
    "starlette.routing": "memwatch.host_hooks.starlette",
    "uvicorn.server": "memwatch.host_hooks.ends",
}
"""The same, no sooner than the agent runs."""

_NAMES = "__memwatch__"
_waiting: list[str] = []
_active = False


class Finder:
    """Finds nothing itself."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the finders behind this one give."""
        if name not in WITH_AGENT and name not in EARLY:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            find = getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                _note_end(spec.loader, name)
                return spec  # type: ignore[no-any-return]
        return None


def _note_end(loader: Any, name: str) -> None:
    """Its type stays: others may ask for it, or for its other methods.

    A loader may be found twice for a module, and that of a zip file is the same for all modules in there.
    """
    try:
        execute = loader.exec_module
        known = getattr(execute, _NAMES, None)
        if known is not None:
            known.add(name)
            return
        names = {name}

        def exec_module(module: ModuleType) -> None:
            found = module.__name__
            is_noted = found in names
            names.discard(found)
            if not names:
                try:  # noqa: SIM105 - contextlib takes longer to import than this module
                    del loader.exec_module
                except AttributeError:  # another thread has
                    pass
            execute(module)
            if is_noted:
                _imported(found)

        setattr(exec_module, _NAMES, names)
        loader.exec_module = exec_module
    except Exception:  # noqa: BLE001 - a loader of another kind: the module is not hooked into
        return


def install() -> None:
    """From now on."""
    sys.meta_path.insert(0, Finder())


def note_loaded() -> None:
    """Of what the program imported before, as if it were imported now: it runs, so all of that waits for the agent."""
    for name in WITH_AGENT:
        if name in sys.modules:
            _imported(name)


def _imported(name: str) -> None:
    if name in EARLY:
        _hook(EARLY[name])
    if name in WITH_AGENT:
        if _active:
            _hook(WITH_AGENT[name])
        else:
            _waiting.append(name)


def activate() -> None:
    """The agent runs: hook into what was imported before, and from now on at once."""
    global _active  # noqa: PLW0603 - one per process
    _active = True
    while _waiting:
        _hook(WITH_AGENT[_waiting.pop(0)])


def _hook(ours: str) -> None:
    try:
        __import__(ours)
        sys.modules[ours].install()
    except Exception:  # noqa: BLE001 - another version of the library: its work is not counted
        return
