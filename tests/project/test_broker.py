"""The embedded broker hands over whole messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kombu import Connection

from project.broker import Transport
from tests.servers import RedisServer, redis_program

pytestmark = pytest.mark.deployment

ROOT = Path(__file__).parents[2]
MESSAGES = 300

SENDER = f"""
import sys

from kombu import Connection

from project.broker import Transport

with Connection(transport=Transport, transport_options=dict.fromkeys(("data_folder_in", "data_folder_out"), sys.argv[1])
                | {{"control_folder": sys.argv[2]}}) as connection:
    queue = connection.SimpleQueue("work", serializer="json")
    for number in range({MESSAGES}):
        queue.put({{"number": number, "text": "x" * 2000}})
"""


class Probe:
    """Looks at the folder while it is written down itself."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen = folder, ["nothing"]

    def __json__(self) -> str:
        self.seen = [path.name for path in self.folder.glob("*.msg")]
        return "looked"


def test_a_message_is_not_seen_before_it_is_whole(tmp_path: Path) -> None:
    options = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path), "control_folder": str(tmp_path / "c")}
    probe = Probe(tmp_path)
    with Connection(transport=Transport, transport_options=options) as connection:
        channel = connection.channel()
        channel._put("work", {"probe": probe})
        assert probe.seen == []
        assert channel._get("work") == {"probe": "looked"}


def test_a_reader_beside_a_writer_gets_every_message_whole(tmp_path: Path) -> None:
    folder, control = tmp_path / "queue", tmp_path / "control"
    for made in (folder, control):
        made.mkdir()
    options = {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(control)}
    sender = subprocess.Popen([sys.executable, "-c", SENDER, str(folder), str(control)], cwd=ROOT)
    try:
        with Connection(transport=Transport, transport_options=options) as connection:
            queue = connection.SimpleQueue("work")
            got = set()
            while len(got) < MESSAGES:
                message = queue.get(timeout=30)
                got.add(message.payload["number"])
                message.ack()
        assert sender.wait(30) == 0
    finally:
        sender.kill()
        sender.wait()
    assert got == set(range(MESSAGES))
    assert not list(folder.iterdir())


WAITS_FOR_NO_ANSWER = """
import celery
import django

django.setup()
celery.current_app.send_task("first", retry=False)
print("sent", flush=True)
input()
try:
    celery.current_app.send_task("second", retry=False)
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.redis
def test_a_frozen_redis_keeps_nobody_waiting_for_ever(tmp_path: Path) -> None:
    server = RedisServer(redis_program())
    server.start()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "MEMWATCH_VAR": str(tmp_path / "var"),
        "MEMWATCH_AGENT": "off",
        "CELERY_BROKER_URL": server.url,
    }
    sender = subprocess.Popen(
        [sys.executable, "-c", WAITS_FOR_NO_ANSWER],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "sent\n"
        server.pause()
        said, _ = sender.communicate("go on\n", timeout=120)
        assert said.strip() == "OperationalError"
    finally:
        sender.kill()
        sender.communicate()
        server.stop()
