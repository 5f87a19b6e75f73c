"""Command lines without their secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_COMMAND_LINE = 300
HIDDEN = "***"

_SECRET = r"(?:pass(?:w(?:or)?d|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|auth)"  # noqa: S105 - names, no secret
_NAME = re.compile(rf"(?i)^-{{0,2}}[\w.\[\]\"'-]*{_SECRET}[\w.\[\]\"'-]*$")
"""``--db-password``, ``API_KEY``, ``secret``: what follows it is secret."""
_ASSIGNMENT = re.compile(rf"(?is)([\w.-]*{_SECRET}[\w.\"'-]*\s*[=:]\s*)(\"[^\"]*\"?|'[^']*'?|[^\s&;,]+)")
"""``TOKEN=…``, ``?password=…&``, ``secret: …`` anywhere in an argument."""
_DSN = re.compile(r"(?s)([a-zA-Z][\w+.-]*://)([^/\s?#]*)@")
"""``scheme://user:password@host``; also where the password holds an @."""
_HEADER = re.compile(r"(?is)((?:proxy-)?authorization\s*[=:]\s*)(.+)|\b(bearer|basic)(\s+)\S+")


def redact(argument: str) -> str:
    """One argument (or any text) without passwords, tokens and the credentials of URLs."""
    argument = _DSN.sub(_without_password, argument)
    argument = _HEADER.sub(lambda match: (match[1] or match[3] + match[4]) + HIDDEN, argument)
    return _ASSIGNMENT.sub(lambda match: match[1] + HIDDEN, argument)


def _without_password(match: re.Match[str]) -> str:
    user, colon, _ = match[2].partition(":")
    return f"{match[1]}{user}:{HIDDEN}@" if colon else f"{match[1]}{HIDDEN}@"


def command_line(arguments: Iterable[str]) -> str:
    """The arguments joined by blanks, redacted, printable, at most 300 characters."""
    shown: list[str] = []
    hide_next = False
    for argument in arguments:
        if hide_next and not argument.startswith("--"):
            shown.append(HIDDEN)
            hide_next = False
            continue
        hide_next = bool(_NAME.match(argument)) and argument.startswith("-")
        shown.append(redact(argument))
    text = "".join(character if character.isprintable() else " " for character in " ".join(shown))
    return text if len(text) <= MAX_COMMAND_LINE else text[: MAX_COMMAND_LINE - 1] + "…"
