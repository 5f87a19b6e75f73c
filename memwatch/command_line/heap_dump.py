"""``memwatch heap dump PID``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from memwatch.diagnosis.options import OF_KIND
from memwatch.heapdump.format import HeapDumpError

_MAX_MB = OF_KIND["heap_dump"]["max_mb"]


def add_dump(kinds: Any) -> None:
    """The command, to those of ``memwatch heap``."""
    dump = kinds.add_parser(
        "dump",
        help="dump the heap of a process",
        description="Dumps the heap of a process that memwatch watches: its agent makes the dump, and the worker of "
        "the deployment brings it here. It needs the settings of the Django site (DJANGO_SETTINGS_MODULE). "
        "A program without Django dumps its own heap: from memwatch import dump_heap. "
        "Examples: memwatch heap dump 4711; memwatch heap dump 4711 --host web-2 --output web.heap. "
        "Exit code: 0; 1 if there is no dump, with the reason; 2 for a wrong option.",
    )
    dump.add_argument("pid", type=int, metavar="PID", help="the process, as memwatch_top shows it")
    dump.add_argument("--host", default="", metavar="NAME", help="its host, where several have the same PID")
    dump.add_argument("--output", type=Path, metavar="FILE", help="default: memwatch-PID.heap")
    dump.add_argument(
        "--max-mb", type=float, default=_MAX_MB.default, metavar="MB", help="largest file (default: %(default)s)"
    )
    dump.add_argument("--any-driver", action="store_true", help="also where CUDA or gRPC is loaded")
    dump.set_defaults(run=_dump)


def _dump(options: argparse.Namespace) -> int:
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        raise HeapDumpError(
            "set DJANGO_SETTINGS_MODULE to the settings of the site whose processes are watched; "
            "a program without Django dumps its own heap with memwatch.dump_heap(path)"
        )
    file = options.output or Path(f"memwatch-{options.pid}.heap")
    if options.output is None and file.exists():
        raise HeapDumpError(f"{file} exists: give --output FILE, or the same name to replace it")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as manage.py has it
    import django  # noqa: PLC0415 - only for this command

    django.setup()
    from memwatch.terminal.heap_dump import dump  # noqa: PLC0415

    dump(
        options.pid,
        file,
        host=options.host,
        max_mb=options.max_mb,
        any_driver=options.any_driver,
        say=lambda text: _line(sys.stderr, text),
    )
    _line(sys.stdout, str(file))
    return 0


def _line(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()
