"""Command lines of the documents, taken by the programs that they are for: parsed by these, not run.

``check(line)`` raises :class:`AssertionError` where the program, a file, a route, an option or an extra is not there.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import click
import yaml
from celery.bin.celery import celery
from django.core.management import CommandError, get_commands, load_command_class
from django.urls import Resolver404, resolve
from gunicorn.config import Config
from uvicorn.main import main as uvicorn

from benchmarks.__main__ import BENCHMARKS
from memwatch import command_line
from memwatch.launch import command
from tests.docs.blocks import ROOT

_ASSIGNMENT = re.compile(r"[A-Z][A-Z0-9_]*=.*", re.DOTALL)
_AND = re.compile(r"\s(?:&&|\|\|?|;)\s")
TARGETS = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def check(line: str) -> None:
    for part in _AND.split(line):
        words = shlex.split(part, comments=True)
        while words and _ASSIGNMENT.fullmatch(words[0]):
            words = words[1:]
        assert words, line
        program, arguments = PurePosixPath(words[0]).name, words[1:]
        assert program in CHECKS, f"{program} of {line!r}: no check for it in tests/docs/commandlines.py"
        try:
            with contextlib.redirect_stderr(io.StringIO()) as said:
                CHECKS[program](arguments)
        except (SystemExit, CommandError, click.UsageError) as refused:
            raise AssertionError(f"{line!r}: {said.getvalue().strip() or refused}") from None


def _make(arguments: list[str]) -> None:
    for word in arguments:
        if not _ASSIGNMENT.fullmatch(word):
            assert word in TARGETS, f"make {word}"


def _python(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        module, rest = arguments[1], arguments[2:]
        assert importlib.util.find_spec(module) is not None, module
        if module == "benchmarks":
            assert all(name in BENCHMARKS for name in rest if not name.startswith("-") and not name.isdigit()), rest
        return
    if arguments[0] == "-c":
        compile(arguments[1], "-c", "exec")
    elif PurePosixPath(arguments[0]).name == "manage.py":
        _manage(arguments[1:])
    else:
        assert list(ROOT.rglob(arguments[0])), arguments[0]


def _manage(arguments: list[str]) -> None:
    name, rest = arguments[0], arguments[1:]
    commands = get_commands()
    assert name in commands, f"manage.py {name}"
    command = load_command_class(commands[name], name)
    command.create_parser("manage.py", name).parse_args(rest)


def memwatch(name: str) -> Callable[[list[str]], None]:
    """A command of ours, written without ``manage.py``."""
    return lambda arguments: _manage([name, *arguments])


def _memwatch(arguments: list[str]) -> None:
    if arguments[0] != "run":
        command_line.parser().parse_args(arguments)
        return
    _options, program = command.parse(arguments[1:])
    if program and program[0] in CHECKS:
        CHECKS[program[0]](program[1:])


def _pip(arguments: list[str]) -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert arguments[0] == "install"
    for word in arguments[1:]:
        if found := re.search(r"memwatch\[(.+)\]", word):
            assert set(found[1].split(",")) <= set(known), word


def _curl(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", action="append")
    parser.add_argument("-d", dest="data", action="append")
    for flag in ("-s", "-f", "-i", "-O", "-J", "-L"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args(arguments)
    parts = urlsplit(given.url)
    if parts.port == 9202 and parts.path == "/metrics":
        return
    try:
        match = resolve(parts.path)
    except Resolver404:
        raise AssertionError(f"{given.url}: no such route") from None
    method = (given.method or ("POST" if given.data else "GET")).lower()
    actions = getattr(match.func, "actions", None)
    assert actions is None or method in actions, f"{method} {given.url}"


def _files(arguments: list[str]) -> None:
    for word in arguments:
        if not word.startswith("-"):
            assert (ROOT / word.partition("::")[0]).exists(), word


def _celery(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-A", dest="app", required=True)
    _given, (name, *rest) = parser.parse_known_args(arguments)
    command = celery.get_command(click.Context(celery), name)
    assert command is not None, f"celery {name}"
    command.make_parser(click.Context(command)).parse_args(rest)


def _gunicorn(arguments: list[str]) -> None:
    given = vars(Config().parser().parse_args(arguments))
    config = Config()
    for name, value in given.items():
        if name != "args" and value is not None:
            config.set(name.lower(), value)


def _uvicorn(arguments: list[str]) -> None:
    uvicorn.make_parser(click.Context(uvicorn)).parse_args(arguments)


def _promtool(arguments: list[str]) -> None:
    assert arguments[:2] in (["test", "rules"], ["check", "rules"], ["check", "config"]), arguments
    _files(arguments[2:])


def _docker(arguments: list[str]) -> None:
    assert arguments[0] == "compose", arguments
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", choices={name for each in services.values() for name in each.get("profiles", ())})
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("up", "restart", "logs"):
        added = verbs.add_parser(verb)
        added.add_argument("services", nargs="*", choices=[*services, []])
        added.add_argument("-d", action="store_true")
    run = verbs.add_parser("exec")
    run.add_argument("-e", action="append")
    run.add_argument("service", choices=services)
    run.add_argument("command", nargs=argparse.REMAINDER)
    given: Any = parser.parse_args(arguments[1:])
    if given.verb == "exec":
        check(shlex.join(given.command))


def _nothing(arguments: list[str]) -> None:
    """Of the system: nothing of ours to be checked."""


OURS = [name for name, application in get_commands().items() if application == "memwatch"]


def _eval(arguments: list[str]) -> None:
    for word in arguments:
        inner = re.fullmatch(r"\$\((.+)\)", word)
        assert inner is not None, word
        check(inner[1])


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "make": _make,
    "python": _python,
    "manage.py": _manage,
    "pip": _pip,
    "curl": _curl,
    "pytest": _files,
    "eval": _eval,
    "cp": _nothing,
    "cd": _nothing,
    "export": _nothing,
    "head": _nothing,
    "git": _nothing,
    "celery": _celery,
    "gunicorn": _gunicorn,
    "uvicorn": _uvicorn,
    "memwatch": _memwatch,
    "promtool": _promtool,
    "docker": _docker,
    **{name: memwatch(name) for name in OURS},
}
