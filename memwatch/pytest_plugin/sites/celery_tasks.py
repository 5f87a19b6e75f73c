"""The tasks of a Celery application, run in this process."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Arguments = Sequence[Any] | Mapping[str, Any]
_OWN = "celery."


def tasks(app: Any, pattern: str) -> dict[str, Any]:
    """Those whose names match, as in a shell, without Celery's own. Raises :class:`ValueError` where there is none."""
    found = {
        name: task
        for name, task in sorted(app.tasks.items())
        if fnmatchcase(name, pattern) and not name.startswith(_OWN)
    }
    if not found:
        raise ValueError(f"no task matches {pattern!r}: give a name as Celery has it, e.g. 'shop.tasks.*'")
    return found


def arguments_of(task: Any, arguments: Mapping[str, Arguments]) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Of one run, as ``(args, kwargs)``; ``None`` where it needs some that are not given."""
    given = arguments.get(task.name, ())
    args, kwargs = ((), dict(given)) if isinstance(given, Mapping) else (tuple(given), {})
    try:
        inspect.signature(task.run).bind(*args, **kwargs)
    except TypeError:
        return None
    return args, kwargs


def run_here(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> object:
    """One run in this thread, without a message. Raises what the task raises."""
    return task.apply(args=args, kwargs=kwargs, throw=True)
