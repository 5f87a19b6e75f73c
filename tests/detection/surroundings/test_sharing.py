"""What the processes of a service share, in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from memwatch.detection.surroundings.sharing import Effect, Sharing, sentences


def sharing(**figures: Any) -> Sharing:
    return Sharing(
        **{"processes": 4, "rss_mb": 800.0, "pss_mb": 450.0, "uss_mb": 240.0, "methods": {"fork": 4}, **figures}
    )


SAVES = (
    "On average a process has 60 MB of its own and 140 MB that others use too. Sharing saves 350 MB over 4 processes."
)
ALONE = (
    "On average a process has 190 MB of its own and 10 MB that others use too. Sharing saves 30 MB over 4 processes."
)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({}, [SAVES]),
        (
            {"copied_mb": 110.0},
            [
                SAVES,
                ("Since it was forked, a process has copied 110 MB of what it shared. gc.freeze() before the fork "
                "keeps most of that shared: see the page “Sharing memory” of the documentation."),
            ],
        ),
        ({"copied_mb": 3.0}, [SAVES]),
        ({"frozen": 4}, [SAVES, "gc.freeze() before the fork is on in all processes."]),
        (
            {"frozen": 3, "effect": Effect(before_mb=115.0, before_lives=8, after_mb=8.0, after_lives=1)},
            [
                SAVES,
                "gc.freeze() before the fork is on in 3 of 4.",
                ("With gc.freeze() a process has 8 MB of its own, without it 115 MB (medians of one process with it "
                "and 8 processes without)."),
            ],
        ),
        (
            {"methods": {"spawn": 4}, "uss_mb": 760.0, "pss_mb": 770.0},
            [
                ALONE,
                "4 processes were started by spawn: each has loaded everything again, and only libraries are shared.",
            ],
        ),
        (
            {"methods": {"forkserver": 1, "fork": 3}},
            [
                SAVES,
                ("One process was started by forkserver, the default of multiprocessing since Python 3.14: they share "
                "what the fork server has loaded, and nothing that their parent has. Name the modules in "
                'multiprocessing.set_forkserver_preload(), or choose set_start_method("fork").'),
            ],
        ),
        (
            {"uss_mb": 760.0, "pss_mb": 770.0},
            [
                ALONE,
                "They were forked but share little: load the application before the fork (preload_app = True).",
            ],
        ),
        ({"uss_mb": 760.0, "pss_mb": 770.0, "methods": {"": 4}}, [ALONE]),
    ],
)  # fmt: skip
def test_what_is_said_of_sharing(figures: dict[str, Any], said: list[str]) -> None:
    assert sentences(sharing(**figures)) == said
