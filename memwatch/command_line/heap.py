"""``memwatch heap report FILE`` and ``memwatch heap diff A B``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from memwatch.command_line.heap_dump import add_dump
from memwatch.heapdump.format import HeapDumpError
from memwatch.heapdump.report import html, text
from memwatch.profiles import sources
from memwatch.profiles.forms import FORMS as PROFILES
from memwatch.profiles.profile import Profile

if TYPE_CHECKING:
    from memwatch.heapdump.analysis.heap import Heap

REPORTS = ("text", "html", "json", "jsonl", "heapsnapshot", "csv", *PROFILES)
DIFFERENCES = ("text", "json")


def add_to(commands: Any) -> None:
    """The commands of ``memwatch heap``."""
    heap = commands.add_parser("heap", help="read dumps of whole heaps")
    kinds = heap.add_subparsers(dest="heap_command", required=True, metavar="COMMAND")
    add_dump(kinds)
    report = kinds.add_parser(
        "report",
        help="say what is in a heap dump",
        description="Says what is in a heap dump. "
        "Examples: memwatch heap report web.heap; memwatch heap report web.heap --format html --output web.html; "
        "memwatch heap report web.heap --format heapsnapshot --output web.heapsnapshot (for Chrome DevTools); "
        "memwatch heap report web.heap --format pprof --output web.pb.gz (for go tool pprof). "
        "Exit code: 0; 1 if the file cannot be read; 2 for a wrong option.",
    )
    report.add_argument("file", type=Path, metavar="FILE", help="the heap dump")
    report.add_argument("--format", choices=REPORTS, default="text", help="default: %(default)s")
    report.add_argument("--type", default="", metavar="NAME", help="only what keeps the objects of this type alive")
    _add_output(report)
    report.set_defaults(run=_report)
    diff = kinds.add_parser(
        "diff",
        help="say what is new in the second of two heap dumps",
        description="Says what is new in the second heap dump, by type, root and path. The dumps can be of one process "
        "at two times, of two workers, or of two releases. Examples: memwatch heap diff before.heap after.heap; "
        "memwatch heap diff before.heap after.heap --format json. Exit code: 0; 1 if a file cannot be read.",
    )
    diff.add_argument("before", type=Path, metavar="A", help="the first heap dump")
    diff.add_argument("after", type=Path, metavar="B", help="the second heap dump")
    diff.add_argument("--format", choices=DIFFERENCES, default="text", help="default: %(default)s")
    _add_output(diff)
    diff.set_defaults(run=_diff)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, metavar="FILE", help="write to this file instead of printing")


def _open(path: Path) -> Heap:
    try:
        from memwatch.heapdump.analysis.heap import Heap  # noqa: PLC0415 - numpy is an extra
    except ImportError as error:
        if error.name != "numpy":
            raise
        raise HeapDumpError('this command needs numpy: pip install "memwatch[heapdump]"') from None
    try:
        return Heap.open(path)
    except HeapDumpError as error:
        raise HeapDumpError(f"{path}: {error}") from None


def _kept_apart(output: Path | None, *dumps: Path) -> None:
    """Raise where the output would replace what it is made of."""
    if output is not None and output.exists() and any(dump.exists() and output.samefile(dump) for dump in dumps):
        raise HeapDumpError(f"{output}: it is the heap dump itself: give another file")


def _report(options: argparse.Namespace) -> int:
    _kept_apart(options.output, options.file)
    heap = _open(options.file)
    if options.type:
        content = heap.paths_of(options.type)
        if options.format not in ("text", "json"):
            raise HeapDumpError("--type: give --format text or json with it")
        made = text.paths(options.type, content) if options.format == "text" else _json(content)
        return _write(options.output, lambda file: file.write(made))
    if options.format in PROFILES:
        return _write_profile(options.output, heap, options.file.name, options.format)
    return _write(options.output, _writer(heap, options.format))


def _write_profile(output: Path | None, heap: Heap, name: str, form: str) -> int:
    from memwatch.heapdump.analysis.result import dominators_of  # noqa: PLC0415 - numpy is an extra

    content = PROFILES[form].write(
        Profile(
            samples=sources.of_dominators({"dominators": dominators_of(heap)}),
            name=name,
            time_s=sources.seconds(heap.graph.about.get("at")),
            comments=(f"memwatch heap dump {name}",),
        )
    )
    if output is not None:
        output.write_bytes(content)
    elif sys.stdout is None or (form == "pprof" and sys.stdout.isatty()):
        raise HeapDumpError("a profile in pprof's form is no text: give --output FILE")
    else:
        sys.stdout.buffer.write(content)
    return 0


def _writer(heap: Heap, form: str) -> Callable[[TextIO], object]:
    from memwatch.heapdump.analysis.result import analysis_of  # noqa: PLC0415 - numpy is an extra
    from memwatch.heapdump.export.heapsnapshot import write_heapsnapshot  # noqa: PLC0415
    from memwatch.heapdump.export.tables import write_csv, write_json_lines  # noqa: PLC0415

    match form:
        case "heapsnapshot":
            return lambda file: write_heapsnapshot(heap.graph, file)
        case "csv":
            return lambda file: write_csv(heap, file)
        case "jsonl":
            return lambda file: write_json_lines(heap, file)
        case "json":
            return lambda file: file.write(_json(analysis_of(heap)))
        case "html":
            return lambda file: file.write(html.report(analysis_of(heap)))
        case _:
            return lambda file: file.write(text.report(analysis_of(heap)))


def _diff(options: argparse.Namespace) -> int:
    _kept_apart(options.output, options.before, options.after)
    before, after = _open(options.before), _open(options.after)
    from memwatch.heapdump.analysis.difference import difference  # noqa: PLC0415 - numpy is an extra

    changed = difference(before, after)
    made = text.difference(changed) if options.format == "text" else _json(changed)
    return _write(options.output, lambda file: file.write(made))


def _json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"


def _write(output: Path | None, write: Callable[[TextIO], object]) -> int:
    with _opened(output) as file:
        write(file)
    return 0


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        if sys.stdout is None:
            raise HeapDumpError("the output is closed: give --output FILE")
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        yield sys.stdout
    else:
        with output.open("w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
