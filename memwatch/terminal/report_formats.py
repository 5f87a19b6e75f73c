"""The report of leaks as text, Markdown, JSON or one HTML file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping

from django.template.loader import render_to_string
from django.utils.html import escape

from memwatch import formatting
from memwatch.terminal import settings_table
from memwatch.terminal.death_table import DeathLine, Deaths
from memwatch.terminal.report import LeakFacts, Report
from memwatch.terminal.work_table import WorkLine

_WORK_TITLES = {
    "kept": "Work: keeps most memory in a call (mean of the last day)",
    "peak": "Work: highest peaks of a call (last day)",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """What the report says beside its leaks."""

    title: str
    lines: tuple[tuple[str, str], ...]
    """What it is about, empty where the text says it, and the text."""


def sections(made: Report) -> Iterator[Section]:
    """Those with lines, in their order."""
    if made.deaths.total:
        yield Section(
            _deaths_title(made.deaths), tuple((_death(line), _death_said(line)) for line in made.deaths.lines)
        )
    for title, lines in (
        ("Recycling", made.recycling),
        ("What releases changed", made.releases),
        ("Known leaks of what is installed", made.known),
    ):
        if lines:
            yield Section(title, tuple(("", line) for line in lines))
    for name, found in made.work.items():
        work = tuple((f"{line.kind} {line.name} in {line.service}", _work_said(name, line)) for line in found)
        yield Section(_WORK_TITLES[name], work)
    if made.settings:
        settings = tuple((line.service, settings_table.said(line)) for line in made.settings)
        yield Section("Settings that fit", settings)


def as_text(made: Report) -> str:
    """Plain lines."""
    lines = [made.title, *([made.track_record] if made.track_record else []), ""]
    for leak in made.leaks:
        lines += [_head(leak), *([f"  {leak.verdict}"] if leak.verdict else [])]
        lines += [f"  {label}: {text}" for label, text in leak.facts]
        lines.append("")
    for section in sections(made):
        lines += [section.title, *(f"  {head}: {text}" if head else f"  {text}" for head, text in section.lines), ""]
    return "\n".join(lines).rstrip() + "\n"


def as_markdown(made: Report) -> str:
    """For an issue or a chat."""
    lines = [f"# {made.title}", "", f"Made {made.made_at}. {made.track_record}".strip(), ""]
    for leak in made.leaks:
        lines += [f"## {_markdown(_head(leak))}", ""]
        if leak.verdict:
            lines += [_markdown(leak.verdict), ""]
        lines += [f"- **{label}**: {_markdown(text)}" for label, text in leak.facts]
        lines.append("")
    for section in sections(made):
        lines += [f"## {_markdown(section.title)}", ""]
        lines += [
            f"- **{_markdown(head)}**: {_markdown(text)}" if head else f"- {_markdown(text)}"
            for head, text in section.lines
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def as_json(made: Report) -> str:
    """Everything, for a program."""
    value = dataclasses.asdict(made)
    for leak in value["leaks"]:
        leak["facts"] = dict(leak["facts"])
    for line in value["deaths"]["lines"]:
        line["at"] = line["at"].isoformat(timespec="seconds")
    return json.dumps(value, indent=2) + "\n"


def as_html(made: Report) -> str:
    """One file that needs no other."""
    heads = list(zip(made.leaks, map(_head, made.leaks), strict=True))
    return render_to_string("memwatch/report.html", {"report": made, "heads": heads, "sections": list(sections(made))})


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
    "html": as_html,
}


def _head(leak: LeakFacts) -> str:
    name = leak.object_type if leak.kind == "objects" else f"{leak.kind} memory"
    return f"{leak.severity}: {name} in {leak.process or f'the service {leak.service}'}"


def _deaths_title(found: Deaths) -> str:
    given = f" (the last {len(found.lines)})" if len(found.lines) < found.total else ""
    return f"Deaths: {formatting.count(found.total)} in the last week{given}"


def _death(line: DeathLine) -> str:
    return f"{formatting.exact(line.at)} {line.process}"


def _death_said(line: DeathLine) -> str:
    """Why, whether its job has been there before, and which trace shows it."""
    said = line.sentence or f"{line.reason[0].upper()}{line.reason[1:]}."
    earlier = f" {line.earlier}." if line.earlier else ""
    return said + earlier + (f" The job's trace is {line.job_trace_id}." if line.job_trace_id else "")


def _work_said(name: str, line: WorkLine) -> str:
    calls = f"{formatting.count(line.calls)} calls"
    if name == "kept":
        blocks = f", {formatting.precise(line.kept_blocks)} blocks" if line.kept_blocks is not None else ""
        return f"{formatting.precise(line.kept_kib)} KB{blocks}; {calls}"
    peak, usual = formatting.megabytes(line.peak_mb), formatting.megabytes(line.peak_mb_p95)
    return f"{peak} above the start of the call, 95 % under {usual}; {calls}"


def _markdown(text: str) -> str:
    """Names of the host's classes are foreign text: neither markup nor HTML."""
    for mark in "\\`*_[]#|":
        text = text.replace(mark, f"\\{mark}")
    return escape(text).replace("\n", " ")
