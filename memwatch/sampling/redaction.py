"""Command lines without their secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_COMMAND_LINE = 300
MAX_ARGUMENT = 4000
"""A longer one (a whole script, a picture) is left out: looking through it would hold up the process."""
HIDDEN = "***"

_HIDING = (
    r"(?:pass(?:w(?:or)?d|phrase|code)?|pwd|secret|token|credential|auth|cookie|signature|session[-_]?id"
    r"|(?:api|access|account|private|signing|encryption|shared|license|master|service|client)[-_]?key)"
)
_NAME = re.compile(rf"(?i)^-{{0,2}}[\w.\[\]\"'-]*{_HIDING}[\w.\[\]\"'-]*$")
"""``--db-password``, ``API_KEY``, ``secret``: what follows it is secret."""
_ASSIGNMENT = re.compile(rf"(?is)({_HIDING}[\w.\"'-]{{0,100}}\s*[=:]\s*)(\"[^\"]*\"?|'[^']*'?|[^\s&;,]+)")
"""``TOKEN=…``, ``?password=…&``, ``secret: …`` anywhere in an argument."""
_WHOLE = re.compile(rf"(?is)^(-{{0,2}}[\w.-]*{_HIDING}[\w.-]*=).+$")
"""An argument that is one assignment: all of it is the secret, blanks and commas too."""
_OPTION = re.compile(r"--[A-Za-z][\w-]*(?:=|$)")
"""What follows a secret's name is the secret, unless it is such an option: a password may begin with ``--``, too."""
_SIGNED_URL = re.compile(r"(?i)([?&]sig=)[^\s&]+")
_JOINED_LOGIN = re.compile(r"(?s)^(-[uU]|--(?:proxy-)?user=)([^:\s=-][^:\s]*):.+$")
_LOGIN = ("-u", "-U", "--user", "--proxy-user")
"""Options that a ``name:password`` may follow."""
_DSN = re.compile(r"(?s)(?<=[\w+.-])(://)([^/\s?#]*)@")
"""``scheme://user:password@host``; also where the password holds an @."""
_UNQUOTED_DSN = re.compile(r"(?s)(?<=[\w+.-])(://)([^/\s?#:@\[]*:(?!\d{1,5}(?:[/?#]|$))[^\s@]*)@")
"""A URL with a password that should have been quoted: it holds a / or a # or a ?. A port is no password."""
_TELLING = re.compile(
    r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abeoprs]-[\w-]{10,}|[sr]k_live_\w{10,}"
    r"|sk-[\w-]{20,}|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*)"
)
"""Tokens that are known by how they look, wherever they stand."""
_HEADER = re.compile(r"(?is)((?:proxy-)?authorization\s*[=:]\s*)(.+)|\b(bearer|basic)(\s+)\S+")


def redact(argument: str) -> str:
    """One argument (or any text) without passwords, tokens and the credentials of URLs."""
    if len(argument) > MAX_ARGUMENT:
        return "…"
    argument = _WHOLE.sub(lambda match: match[1] + HIDDEN, argument)
    argument = _JOINED_LOGIN.sub(lambda match: f"{match[1]}{match[2]}:{HIDDEN}", argument)
    argument = _SIGNED_URL.sub(lambda match: match[1] + HIDDEN, argument)
    argument = _DSN.sub(_without_password, argument)
    argument = _UNQUOTED_DSN.sub(_without_password, argument)
    argument = _TELLING.sub(HIDDEN, argument)
    argument = _HEADER.sub(lambda match: (match[1] or match[3] + match[4]) + HIDDEN, argument)
    return _ASSIGNMENT.sub(lambda match: match[1] + HIDDEN, argument)


def _without_password(match: re.Match[str]) -> str:
    user, colon, _ = match[2].partition(":")
    return f"{match[1]}{user}:{HIDDEN}@" if colon else f"{match[1]}{HIDDEN}@"


def command_line(arguments: Iterable[str]) -> str:
    """The arguments joined by blanks, redacted, printable, at most 300 characters."""
    shown: list[str] = []
    hide_next = is_login = False
    length = 0
    for argument in arguments:
        if length > MAX_COMMAND_LINE:
            break
        if hide_next and not _OPTION.match(argument):
            shown.append(HIDDEN)
            hide_next = False
        else:
            hide_next = argument.startswith("-") and bool(_NAME.match(argument[:MAX_ARGUMENT]))
            name, colon, _ = argument.partition(":")
            shown.append(f"{redact(name)}:{HIDDEN}" if is_login and colon else redact(argument))
        is_login = argument in _LOGIN
        length += len(shown[-1]) + 1
    text = "".join(character if character.isprintable() else " " for character in " ".join(shown))
    return text if len(text) <= MAX_COMMAND_LINE else text[: MAX_COMMAND_LINE - 1] + "…"
