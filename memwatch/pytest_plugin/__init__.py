"""A leak gate for pytest: the marker ``no_leaks`` and the fixture ``memory``. Until one is used, nothing is measured.

How to use it: ``docs/how-to/leaks-in-tests.md``. This module is all that a run of pytest loads until then; the options
are declared here, where pytest and the documentation read them.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from memwatch.pytest_plugin.memory import Memory
    from memwatch.pytest_plugin.session import Session

MARK, FIXTURE = "no_leaks", "memory"
SESSION = "memwatch-session"
MARKED, ALL, OFF = MODES = ("marked", "all", "off")

OPTIONS: tuple[tuple[str, dict[str, object]], ...] = (
    (
        "--memwatch",
        {
            "choices": MODES,
            "default": MARKED,
            "help": "marked: measure the tests that ask for it (the default). all: also count what each test of the "
            "suite keeps, and list it at the end. off: run marked tests once, and measure nothing.",
        },
    ),
    (
        "--memwatch-budget",
        {
            "type": float,
            "default": None,
            "metavar": "SECONDS",
            "help": "The time that one measured test may take for all its calls: after it no call begins (30).",
        },
    ),
    (
        "--memwatch-baseline",
        {
            "default": None,
            "metavar": "FILE",
            "help": "A TOML file of known leaks: these pass, new ones fail, and fixed ones must be removed from it.",
        },
    ),
    (
        "--memwatch-baseline-write",
        {
            "action": "store_true",
            "default": False,
            "help": "Write the leaks of this run into the baseline. Tests that did not run keep their entries.",
        },
    ),
)
MARKER = (
    "no_leaks(calls=None, warmup=8, budget=30): call the test again and again, with fixtures that are set up once, and "
    "fail if anything grows with every call (memwatch). calls: exactly so many are judged; budget: seconds."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("memwatch", "leaks (memwatch)")
    for name, settings in OPTIONS:
        group.addoption(name, **settings)


def pytest_configure(config: pytest.Config) -> None:
    """The marker; and what follows the session, where an option asks for it or tests run in other processes."""
    config.addinivalue_line("markers", MARKER)
    option = config.option
    asked = option.memwatch == ALL or option.memwatch_baseline or option.memwatch_baseline_write
    if asked or getattr(option, "dist", "no") != "no" or getattr(option, "forked", False):
        session_of(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Load what measures where a test asks for it: before the first one patches the clock or the collector.

    Last of all, since other plug-ins add markers in this hook.
    """
    if config.option.memwatch != OFF and any(map(_asks, items)):
        session_of(config).prepare(items)


def _asks(item: pytest.Item) -> bool:
    return FIXTURE in getattr(item, "fixturenames", ()) or item.get_closest_marker(MARK) is not None


def session_of(config: pytest.Config) -> Session:
    """What follows this run; begun by the first who asks."""
    session: Session | None = config.pluginmanager.get_plugin(SESSION)
    if session is None:
        from memwatch.pytest_plugin.session import Session  # noqa: PLC0415 - where it is asked for

        session = Session(config)
        config.pluginmanager.register(session, SESSION)
    return session


@pytest.fixture
def memory(request: pytest.FixtureRequest) -> Memory:
    """Measures what calls keep: ``assert_no_leak``, ``assert_peak``, ``kept_by``, ``assert_urls``, ``assert_tasks``."""
    from memwatch.pytest_plugin.memory import Memory  # noqa: PLC0415 - loads the engine

    return Memory(session_of(request.config), request.node)
