"""A whole deployment for tests: `manage.py run_stack` on free ports with a folder of its own, and its API."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.servers import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PASSWORD = "stack-tests-only-2718"


class Stack:
    """Use as a context: on leaving it, everything is stopped, at worst killed."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder, self.arguments = folder, arguments
        self.port, self.exporter_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Unset what the test run itself set for its own settings.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MEMWATCH_")}
        self.environment = {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "MEMWATCH_VAR": str(folder / "var"),
            "MEMWATCH_TRANSPORT": f"local://{folder}/transport",
            "MEMWATCH_ADMIN_PASSWORD": PASSWORD,
            "MEMWATCH_SNAPSHOT_INTERVAL": "3",
            "PORT": str(self.port),
            "EXPORTER_PORT": str(self.exporter_port),
            **environment,
        }
        self.log_path = folder / "log"
        self.token = ""

    def on_copy_of(self, database: Path) -> Stack:
        """Itself, which will begin with these tables, as migrations take seconds."""
        (self.folder / "var").mkdir()
        shutil.copy(database, self.folder / "var" / "db.sqlite3")
        return self

    def __enter__(self) -> Stack:
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run_stack", *self.arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.wait_for(self.sign_in, 240)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        if self.process.poll() is None:
            self.stop()
        for process in self.processes():
            process.kill()

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def errors(self) -> list[str]:
        """Lines of the log that no healthy run has."""
        return [line for line in self.log().splitlines() if re.search(r"\b(ERROR|CRITICAL|Traceback)\b", line)]

    def wait_for(self, condition: Callable[[], Any], seconds: float) -> Any:
        def look() -> Any:
            assert self.process.poll() is None, f"the stack ended with {self.process.returncode}:\n{self.log()}"
            return condition()

        return until(look, within_s=seconds, every_s=0.3, seen=lambda: self.log()[-3000:])

    def sign_in(self) -> bool:
        self.token = self.call("POST", "/api/v1/token/", {"username": "admin", "password": PASSWORD})["token"]
        return bool(self.token)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        headers |= {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, headers=headers, data=data)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def rows(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call("GET", path)["results"]
        return rows

    def text(self, path: str, *, port: int | None = None) -> str:
        url = f"http://127.0.0.1:{port or self.port}{path}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            text: str = answer.read().decode()
            return text

    def watched(self) -> list[dict[str, Any]]:
        """Processes that are alive and have a snapshot."""
        return [row for row in self.rows("/api/v1/processes/?state=alive") if row["last_snapshot"]]

    def processes(self) -> list[psutil.Process]:
        """Whatever still runs with this stack's folder in its environment."""
        marker, found = f"MEMWATCH_VAR={self.folder}/var".encode(), []
        for process in psutil.process_iter():
            try:
                environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            except OSError:
                continue
            if marker in environment.split(b"\0") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> float:
        """Seconds that stopping took."""
        start = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return time.monotonic() - start
