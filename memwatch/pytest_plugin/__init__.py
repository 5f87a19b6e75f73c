"""A leak gate for pytest: the marker ``no_leaks`` and the fixture ``memory``. Until one is used, nothing is measured.

How to use it: ``docs/how-to/leaks-in-tests.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from memwatch.pytest_plugin.options import MARKER, OPTIONS

if TYPE_CHECKING:
    from memwatch.pytest_plugin.memory import Memory
    from memwatch.pytest_plugin.session import Session

SESSION = "memwatch-session"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("memwatch", "leaks (memwatch)")
    for name, settings in OPTIONS:
        group.addoption(name, **settings)


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and what follows the session."""
    config.addinivalue_line("markers", MARKER)
    from memwatch.pytest_plugin.session import Session  # noqa: PLC0415 - not while pytest reads its options

    config.pluginmanager.register(Session(config), SESSION)


@pytest.fixture
def memory(request: pytest.FixtureRequest) -> Memory:
    """Measures what calls keep: ``assert_no_leak``, ``assert_peak``, ``kept_by``, ``assert_urls``, ``assert_tasks``."""
    from memwatch.pytest_plugin.memory import Memory  # noqa: PLC0415 - loads the engine

    session = cast("Session", request.config.pluginmanager.get_plugin(SESSION))
    return Memory(session, request.node)
