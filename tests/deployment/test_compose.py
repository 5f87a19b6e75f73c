"""docker-compose.yml without Docker: valid, and its programs run as it says, on real PostgreSQL and Redis."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from memwatch.transport.schema import MAX_REPORT_BYTES
from tests.servers import PostgresServer, RedisServer, free_port, postgres_program, redis_program
from tests.waiting import until

pytestmark = pytest.mark.deployment

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
PASSWORDS = {
    name: f"{name.lower().replace('_', '-')}-of-the-tests-0123456789"
    for name in re.findall(r"^([A-Z_]+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
}
USERS = {"AGENT": "agent", "BROKER": "broker", "HUB": "hub"}


def test_it_is_right_by_the_compose_specification() -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", FILE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def services(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file as compose reads it, with the variables filled in; one that is wanted and lacks raises."""

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, operator, text = match["name"], match["operator"], match["text"]
        value = variables.get(name, "")
        if operator == ":?" and not value:
            raise ValueError(text)
        return value or (text if operator == ":-" else "")

    pattern = r"\$\$|\$\{(?P<name>[A-Z_]+)(?:(?P<operator>:[-?])(?P<text>[^}]*))?\}"
    loaded: dict[str, Any] = yaml.safe_load(re.sub(pattern, fill, FILE.read_text()))["services"]
    return loaded


def test_there_is_no_default_for_a_secret() -> None:
    for name in PASSWORDS:
        with pytest.raises(ValueError, match=f"set {name} in .env"):
            services({other: value for other, value in PASSWORDS.items() if other != name})


def test_nothing_is_open_to_the_network_and_no_program_has_rights() -> None:
    for name, service in services(PASSWORDS).items():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "mem_limit" in service, name
        assert "test" in service.get("healthcheck", ()) or name in ("migrate", "web", "otel-collector"), name
        if service.get("build"):
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]


def test_who_is_watched_holds_no_password_that_can_command() -> None:
    found = services(PASSWORDS)
    told = {name: json.dumps(service.get("environment", {})) for name, service in found.items()}
    assert {name for name, text in told.items() if PASSWORDS["REDIS_HUB_PASSWORD"] in text} == {
        "redis", "worker", "memory-exporter",
    }  # fmt: skip
    assert PASSWORDS["REDIS_BROKER_PASSWORD"] not in told["shop"]
    assert PASSWORDS["SECRET_KEY"] not in told["shop"]


def test_redis_bounds_its_memory_and_one_entry() -> None:
    service = services(PASSWORDS)["redis"]
    said = dict(re.findall(r"--(maxmemory|proto-max-bulk-len) (\d+)mb", service["command"][-1]))
    assert MAX_REPORT_BYTES <= int(said["proto-max-bulk-len"]) * 1024 * 1024 <= 4 * MAX_REPORT_BYTES
    assert int(said["maxmemory"]) < int(service["mem_limit"].removesuffix("m"))


def test_images_of_others_are_of_one_release() -> None:
    """Their digests are for who runs them to add: the file says how."""
    images = {name: service["image"] for name, service in services(PASSWORDS).items() if "build" not in service}
    assert [image for image in images.values() if not re.search(r":v?\d+\.\d+", image)] == []
    assert "put the digest" in FILE.read_text().replace("\n#", "")


def test_the_image_asks_for_its_health_where_no_request_can_hold_it_up() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (port,) = re.findall(r"\bHEALTH_PORT=(\d+)", text)
    (asked,) = re.findall(r'"project\.healthcheck", "([^"]+)"', text)
    assert asked == f"http://127.0.0.1:{port}/healthz"


class Program:
    """One service's command in a process of its own."""

    def __init__(self, name: str, service: Mapping[str, Any], hosts: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        environment = {key: self._placed(str(value), hosts) for key, value in service["environment"].items()}
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("MEMWATCH_", "DJANGO_", "PROMETHEUS_", "CELERY_"))
        }
        programs = str(Path(sys.executable).parent)
        self.environment = {
            **inherited, "PATH": f"{programs}:{os.environ['PATH']}", "MEMWATCH_VAR": str(folder / f"var-{name}"),
            "MEMWATCH_STATIC": str(folder / "static"), "LOG_FORMAT": "json", **environment,
            "MEMWATCH_SNAPSHOT_INTERVAL": "3", "MEMWATCH_RECORDINGS_FOLDER": str(folder / "recordings"),
        }  # fmt: skip
        self.command = service.get("command") or dockerfile_command()
        self.health: list[str] = service.get("healthcheck", {}).get("test", ["CMD"])[1:]
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def _placed(text: str, hosts: Mapping[str, str]) -> str:
        """Compose's host names as they are here."""
        for name, here in hosts.items():
            text = text.replace(name, here)
        return text

    def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment | environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip

    def run(self) -> None:
        self.start()
        assert self.process is not None
        assert self.process.wait(120) == 0, self.log.read_text()

    def check_health(self, port: str = "", here: str | int = "") -> subprocess.CompletedProcess[str]:
        """The container's own check, with the port that the program has here."""
        places = {"/var/lib/memwatch": self.environment["MEMWATCH_VAR"], f"127.0.0.1:{port}": f"127.0.0.1:{here}"}
        command = [self._placed(part, places) for part in self.health]
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def dockerfile_command() -> list[str]:
    (text,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    found: list[str] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def redis_with_users() -> Iterator[RedisServer]:
    """Redis as compose starts it: its own command makes the file of users."""
    server = RedisServer(redis_program())
    script = services(PASSWORDS)["redis"]["command"][-1]
    making = script.split("exec redis-server")[0].replace("/data/", f"{server.folder}/")
    making = making.replace("/etc/redis/users.acl", str(ROOT / "monitoring" / "redis" / "users.acl"))
    environment = {f"{name}_PASSWORD": PASSWORDS[f"REDIS_{name}_PASSWORD"] for name in USERS}
    subprocess.run(["sh", "-ec", making], env={**os.environ, **environment}, check=True)
    assert "PASSWORD" not in (server.folder / "users.acl").read_text().replace("-password-", "")
    if server.user is not None:
        os.chown(server.folder / "users.acl", server.user.pw_uid, server.user.pw_gid)
    server.options = ("--aclfile", str(server.folder / "users.acl"), "--maxmemory", "256mb")
    try:
        server.start()
        yield server
    finally:
        server.stop()


def as_user(server: RedisServer, name: str) -> redis.Redis:
    return redis.Redis(
        port=server.port, username=name.lower(), password=PASSWORDS[f"REDIS_{name}_PASSWORD"], socket_timeout=5
    )


@pytest.mark.redis
@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("AGENT", "XADD mw:cmd:all * c forged"),
        ("AGENT", "XREAD STREAMS mw:up 0"),
        ("AGENT", "DEL mw:up"),
        ("AGENT", "LPUSH memwatch forged"),
        ("AGENT", "XADD celery * a b"),
        ("AGENT", "PUBLISH /0.celery.pidbox x"),
        ("AGENT", "KEYS *"),
        ("BROKER", "XADD mw:cmd:all * c forged"),
        ("BROKER", "XREAD STREAMS mw:up 0"),
        ("BROKER", "GET mw:hub"),
        ("BROKER", "CONFIG GET *"),
        ("BROKER", "FLUSHALL"),
        ("HUB", "CONFIG SET dir /tmp"),
        ("HUB", "ACL LIST"),
    ],
)
def test_each_user_of_redis_may_do_its_work_alone(redis_with_users: RedisServer, user: str, command: str) -> None:
    with as_user(redis_with_users, user) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*shlex.split(command))


@pytest.mark.redis
def test_redis_refuses_clients_without_a_user(redis_with_users: RedisServer) -> None:
    with redis.Redis(port=redis_with_users.port) as client, pytest.raises(redis.exceptions.AuthenticationError):
        client.ping()


@pytest.fixture(scope="module")
def programs(
    redis_with_users: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, Program], int, int, int]]:
    """Every program of ours, started in compose's order; the ports of web, exporter and shop."""
    folder = tmp_path_factory.mktemp("compose")
    postgres = PostgresServer(postgres_program())
    postgres.start()
    web, exporter, shop = free_port(), free_port(), free_port()
    hosts = {
        "@postgres:5432/": f"@127.0.0.1:{postgres.port}/",
        "@redis:6379/": f"@127.0.0.1:{redis_with_users.port}/",
        "/srv/examples": str(ROOT / "examples"),
        "0.0.0.0": "127.0.0.1",
    }
    found = {
        name: Program(name, service, hosts, folder)
        for name, service in services(PASSWORDS).items()
        if service.get("build")
    }
    found["shop"].command = [part.replace("0.0.0.0:8000", f"127.0.0.1:{shop}") for part in found["shop"].command]
    exporters = found["memory-exporter"]
    exporters.command = [*exporters.command[:-1], "127.0.0.1", "--port", str(exporter)]
    found["web"].environment |= {"PORT": str(web), "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"],
        env=found["web"].environment, cwd=ROOT, check=True,
    )  # fmt: skip
    try:
        found["migrate"].run()
        for name in ("web", "worker", "beat", "memory-exporter", "shop"):
            found[name].start()
        yield found, web, exporter, shop
    finally:
        for program in found.values():
            program.stop()
        postgres.stop()


def ask(url: str, *, token: str = "", data: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    body = None if data is None else json.dumps(data).encode()
    asked = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    if token:
        asked.add_header("Authorization", token)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


@pytest.mark.redis
@pytest.mark.postgres
def test_the_whole_file_runs_and_the_web_commands_through_a_worker(
    programs: tuple[dict[str, Program], int, int, int],
) -> None:
    found, web, exporter, shop = programs
    url = f"http://127.0.0.1:{web}"

    def logs() -> str:
        return "\n".join(f"== {name}\n{program.log.read_text()[-2000:]}" for name, program in found.items())

    until(lambda: ask(f"{url}/healthz")[0] == 200, within_s=90, every_s=0.5, seen=logs)
    made = subprocess.run(
        [sys.executable, "manage.py", "createsuperuser", "--noinput", "--username", "ops", "--email", "o@example.org"],
        env=found["web"].environment | {"DJANGO_SUPERUSER_PASSWORD": "compose-tests-2718", "MEMWATCH_AGENT": "off"},
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0 or "already taken" in made.stderr, made.stderr
    _status, answer = ask(f"{url}/api/v1/token/", data={"username": "ops", "password": "compose-tests-2718"})
    token = f"Token {json.loads(answer)['token']}"

    def watched() -> dict[str, list[int]] | None:
        _status, body = ask(f"{url}/api/v1/processes/?page_size=100", token=token)
        by_service: dict[str, list[int]] = {}
        for process in json.loads(body or b"{}").get("results", ()):
            if (process["last_snapshot"] or {}).get("total_objects"):
                by_service.setdefault(process["service"], []).append(process["id"])
        everybody = {"web": 2, "worker": 2, "beat": 1, "exporter": 1, "shop": 2}
        ready = all(len(by_service.get(name, ())) >= number for name, number in everybody.items())
        return by_service if ready else None

    processes = until(watched, within_s=120, every_s=0.5, seen=logs)
    status, body = ask(f"{url}/api/v1/processes/{processes['shop'][0]}/snapshot/", token=token, data={})
    assert status == 202, body
    command = json.loads(body)["id"]

    def answered() -> bool:
        return json.loads(ask(f"{url}/api/v1/commands/{command}/", token=token)[1])["state"] == "done"

    until(answered, within_s=60, every_s=0.5, seen=logs)
    ready = json.loads(
        until(lambda: answer if b'"ok"' in (answer := ask(f"{url}/readyz")[1]) else None, within_s=30, seen=logs)
    )
    assert ready["checks"]["broker"]["ok"]

    bearer = f"Bearer {PASSWORDS['MEMWATCH_METRICS_TOKEN']}"

    def shown() -> bytes:
        page = ask(f"http://127.0.0.1:{exporter}/metrics", token=bearer)[1]
        return page if b'service="shop"' in page else b""

    metrics = until(shown, within_s=60, every_s=0.5, seen=logs)
    assert b"memwatch_up 1" in metrics
    assert ask(f"{url}/metrics")[0] == 401
    assert b'service="shop"' in ask(f"{url}/metrics", token=bearer)[1]
    ports = {"memory-exporter": ("9202", exporter), "shop": ("8000", shop)}
    for name in ("beat", "memory-exporter", "shop"):
        done = found[name].check_health(*map(str, ports.get(name, ())))
        assert done.returncode == 0, (name, done.stderr)
    for name in ("web", "worker", "beat", "memory-exporter"):
        for line in found[name].log.read_text().splitlines():
            if line.startswith("{"):
                assert json.loads(line)["level"] not in ("ERROR", "CRITICAL"), line
        assert not any(password in found[name].log.read_text() for password in PASSWORDS.values())
