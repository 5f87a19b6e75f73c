"""The options of memwatch's management commands, from their parsers."""

from __future__ import annotations

import argparse
import re

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from docs.make_reference.tables import code, table


def _own(command: BaseCommand, name: str) -> argparse.ArgumentParser:
    """A parser with what the command adds itself."""
    parser = argparse.ArgumentParser(prog=f"manage.py {name}", add_help=False)
    command.add_arguments(parser)  # type: ignore[arg-type]
    return parser


def _usage(parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=400)
    return parser.format_usage().removeprefix("usage: ").replace(" [-h]", "").strip()


def _text(action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default}


def _rows(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
            continue
        names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        if action.option_strings and action.nargs != 0:
            names += f" {action.metavar or (_choices(action) if action.choices else action.dest.upper())}"
        rows.append((code(names), _text(action)))
    return rows


def _choices(action: argparse.Action) -> str:
    return "{" + ",".join(map(str, action.choices or ())) + "}"


def _section(parser: argparse.ArgumentParser) -> str:
    rows = _rows(parser)
    return f"{code(_usage(parser))}\n\n" + (table(("argument", ""), rows) + "\n" if rows else "")


def _help(text: str) -> str:
    """With what is to be typed as code: the parts after "Examples:"."""
    said, found, rest = text.partition("Examples: ")
    if not found:
        return text
    examples, dot, after = rest.partition(". ")
    shown = "; ".join(re.sub(r"^(memwatch_[^(]*[^( ])", r"`\1`", part) for part in examples.split("; "))
    return f"{said}Examples: {shown}{dot}{after}"


def commands() -> str:
    made = []
    for name in sorted(name for name, application in get_commands().items() if application == "memwatch"):
        command = load_command_class("memwatch", name)
        parser = _own(command, name)
        made.append(f"### {name}\n\n{_help(command.help)}\n\n{_section(parser)}")
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                texts = {choice.dest: choice.help for choice in action._choices_actions}
                for verb, below in action.choices.items():
                    made.append(f"**{verb}**: {texts[verb]}.\n\n{_section(below)}")
    return "\n".join(part.rstrip("\n") + "\n" for part in made)
