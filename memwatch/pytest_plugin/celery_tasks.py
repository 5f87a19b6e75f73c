"""The tasks of a Celery application, run in this process."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

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


def call_of(task: Any, arguments: Mapping[str, Sequence[Any] | Mapping[str, Any]]) -> Callable[[], object] | None:
    """One run of it, which raises what the task raises; ``None`` where it needs arguments that are not given."""
    given = arguments.get(task.name, ())
    args, kwargs = ((), dict(given)) if isinstance(given, Mapping) else (tuple(given), {})
    try:
        inspect.signature(task.run).bind(*args, **kwargs)
    except TypeError:
        return None
    return functools.partial(task.apply, args=args, kwargs=kwargs, throw=True)
