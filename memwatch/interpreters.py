"""Which of the interpreters of a process this is. Light: imported at the start of a program."""

from __future__ import annotations

import sys


def is_main_interpreter() -> bool:
    """Whether this is the first interpreter of the process."""
    try:
        if sys.version_info >= (3, 13):
            import _interpreters as interpreters  # noqa: PLC0415

            return bool(interpreters.get_current()[0] == interpreters.get_main()[0])
        import _xxsubinterpreters  # type: ignore[import-not-found]  # noqa: PLC0415

        return bool(_xxsubinterpreters.get_current() == _xxsubinterpreters.get_main())
    except ImportError:
        return True
