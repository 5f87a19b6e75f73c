"""The forms that a profile can be written in, declared once for pages, API and command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType

from memwatch.profiles import pprof, texts
from memwatch.profiles.profile import Profile


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How it is written, and what the file is."""

    write: Callable[[Profile], bytes]
    content_type: str
    suffix: str
    """Of the file's name."""
    label: str
    """What it is for, in English."""


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "pprof": Form(
            write=pprof.dumps,
            content_type="application/octet-stream",
            suffix="pb.gz",
            label="pprof (for go tool pprof, Pyroscope and Grafana)",
        ),
        "speedscope": Form(
            write=texts.speedscope,
            content_type="application/json",
            suffix="speedscope.json",
            label="speedscope (for speedscope.app)",
        ),
        "collapsed": Form(
            write=texts.collapsed,
            content_type="text/plain; charset=utf-8",
            suffix="collapsed.txt",
            label="Collapsed stacks (text, for other tools)",
        ),
    }
)
