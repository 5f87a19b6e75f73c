"""What drives the site: threads that get pages, or a command that is run again and again. Nothing of Django."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

TIMEOUT_S = 30.0
MOST_BODY = 64 * 2**20
"""Bytes of an answer that are read."""
END_S = 10.0
"""A command gets so many seconds to end after SIGTERM."""
RESTART_S = 0.5
"""Between two runs of the command."""
MOST_FAILED = 0.1
"""Share of the requests that may fail."""
_GO_ON = frozenset(
    ["next", "next_url", "return_to", "returnurl", "redirect", "redirect_to", "continue", "came_from", "rd", "back"]
)
"""Arguments of login pages: where to go on afterwards."""


class Load(Protocol):
    """Runs beside the gate from ``start`` to ``stop``."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End, and wait for it."""

    def told(self) -> str:
        """What it has done so far."""

    def obstacle(self) -> str:
        """Why the site was not driven as it should be; empty where it was."""


def urls_of(given: Sequence[str], file: Path | None) -> list[str]:
    """Those on the command line and in the file, in which ``#`` starts a comment. Raises :class:`ValueError`."""
    lines = list(given)
    if file is not None:
        try:
            lines += [line.partition(" #")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"--urls {file}: {getattr(error, 'strerror', None) or 'it is no text in UTF-8'}") from None
    found = [line for line in lines if line and not line.startswith("#")]
    for url in found:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{url!r} is no URL: give one such as http://localhost:8000/orders/")
    return found


def headers_of(given: Sequence[str]) -> dict[str, str]:
    """``NAME: VALUE`` each. Raises :class:`ValueError`."""
    found = {}
    for line in given:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not line.isprintable():
            raise ValueError("--header needs a name and a value, such as 'Cookie: sessionid=...'")
        found[name.strip()] = value.strip()
    return found


class Pages:
    """Gets the URLs in turn, in some threads.

    ``headers`` go with each request, but not to another host. ``login``: paths of pages that answer in place of others.
    """

    def __init__(
        self,
        urls: Sequence[str],
        clients: int,
        headers: Mapping[str, str] | None = None,
        login: Collection[str] = (),
    ) -> None:
        self._next = itertools.cycle(urls)
        self._headers = {"User-Agent": "memwatch-gate", **(headers or {})}
        self._login = frozenset(login)
        self._opener = build_opener(_Redirects(headers or {}))
        self._clients = clients
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._made = self._failed = 0
        self._spent_s = self._lost_s = 0.0
        self._last = ""

    def start(self) -> None:
        for number in range(self._clients):
            self._threads.append(threading.Thread(target=self._run, name=f"memwatch-gate-{number}", daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    def _run(self) -> None:
        while not self._over.is_set():
            with self._lock:
                url = next(self._next)
            began = time.monotonic()
            problem = _problem(self._opener, Request(url, headers=self._headers), self._login)  # noqa: S310 - checked
            if problem:
                self._over.wait(RESTART_S)
            spent_s = time.monotonic() - began
            with self._lock:
                self._made += 1
                self._spent_s += spent_s
                if problem:
                    self._failed += 1
                    self._lost_s += spent_s
                    self._last = f"{url}: {problem}"

    def told(self) -> str:
        with self._lock:
            failed = f", {self._failed:,} failed ({self._last})" if self._failed else ""
            return f"{self._made:,} requests{failed}"

    def obstacle(self) -> str:
        with self._lock:
            if not self._made:
                return "No request was made."
            # By time as well: a site that is down gets two requests a second, one that answers gets hundreds.
            if self._failed > MOST_FAILED * self._made or self._lost_s > MOST_FAILED * self._spent_s:
                return f"{self._failed:,} of {self._made:,} requests failed, the last one {self._last}."
        return ""


class _Redirects(HTTPRedirectHandler):
    """Follows them; what was given for one host is not sent to another."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def redirect_request(  # noqa: PLR0917 - as urllib has it
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and _less_safe(req.full_url, made.full_url):
            for name in self._headers:
                made.remove_header(name.capitalize())
        return made


def _less_safe(before: str, after: str) -> bool:
    """Whether the address after a redirect is of another host, or no longer encrypted."""
    start, end = urlsplit(before), urlsplit(after)
    return end.netloc != start.netloc or (start.scheme == "https" and end.scheme != "https")


def _problem(opener: OpenerDirector, request: Request, login: Collection[str]) -> str:
    """Why the page was not got; empty where it was."""
    asked = request.full_url
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            read = 0
            while read < MOST_BODY and (part := answer.read(2**16)):
                read += len(part)
            return _elsewhere(asked, answer.url, login)
    except HTTPError as error:
        error.close()
        return f"status {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return str(getattr(error, "reason", "") or error or type(error).__name__)[:200]


def _elsewhere(asked: str, ended: str, login: Collection[str]) -> str:
    """Why the page at which a redirect ended does not stand for the one that was asked for; empty where it does."""
    start, end = urlsplit(asked), urlsplit(ended)
    if end.hostname != start.hostname:
        return f"it was redirected to another host, {end.hostname}"
    if end.path.rstrip("/") == start.path.rstrip("/"):
        return ""
    back = {start.path, f"{start.path}?{start.query}", asked}  # where a login page goes on to, as one of its arguments
    if end.path in login or any(name.lower() in _GO_ON and value in back for name, value in parse_qsl(end.query)):
        return f"it was redirected to the login page {end.path}: give --header 'Cookie: ...' of a session"
    return ""


class Command:
    """A program that drives the site, started again whenever it ends well."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memwatch-gate", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = 0
        self._problem = ""

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                process = self._process = subprocess.Popen(  # noqa: S603 - of the one who runs the gate
                    self._command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), start_new_session=True
                )
            except OSError as error:
                self._problem = f"{self._command[0]} cannot be started: {error.strerror}."
                return
            if self._over.is_set():
                _end(process)
            code = process.wait()
            if self._over.is_set():
                return
            if code:
                self._problem = f"{self._command[0]} ended with exit code {code}."
                return
            self._ended += 1
            self._over.wait(RESTART_S)

    def stop(self) -> None:
        self._over.set()
        if self._process is not None:
            _end(self._process)
        self._thread.join(END_S)

    def told(self) -> str:
        times = "once" if self._ended == 1 else f"{self._ended:,} times"
        return self._problem.rstrip(".") or f"{self._command[0]} has ended {times}"

    def obstacle(self) -> str:
        return self._problem


def _end(process: subprocess.Popen[bytes]) -> None:
    """It and what it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if process.poll() is None:
                os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
            return
