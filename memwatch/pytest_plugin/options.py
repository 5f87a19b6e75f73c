"""The options on the command line, declared once: pytest and the documentation read them here."""

from __future__ import annotations

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
